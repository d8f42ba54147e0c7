/** A JSON Schema of an OpenAPI description, without references. */
export interface JsonSchema {
  readonly type?: string | readonly string[]
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly items?: JsonSchema
  readonly anyOf?: readonly JsonSchema[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly examples?: readonly unknown[]
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly uniqueItems?: boolean
  readonly minProperties?: number
  readonly additionalProperties?: boolean
}

interface Parameter {
  readonly in: 'path' | 'query'
  readonly name: string
  readonly required?: boolean
  readonly schema: JsonSchema
}

/** An operation of the API. */
export interface Operation {
  readonly id: string
  readonly method: string
  /** With parameters in braces: `/v1/sessions/{id}`. */
  readonly path: string
  readonly tag: string
  readonly isPublic: boolean
  readonly parameters: readonly Parameter[]
  /** The schema of a JSON body. */
  readonly body: JsonSchema | undefined
  /** By status: the content type and the schema of the body, if it has one. */
  readonly responses: ReadonlyMap<number, { type: string; schema: JsonSchema } | undefined>
}

interface Content {
  readonly content?: Readonly<Record<string, { schema: JsonSchema }>>
}

interface Described extends Record<string, unknown> {
  readonly operationId: string
  readonly tags: readonly string[]
  readonly security?: readonly object[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: Content
  readonly responses: Readonly<Record<string, Content>>
}

/** The parts of an OpenAPI 3.1 description that are read. */
export interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Described>>>>
  readonly components: { readonly schemas: Readonly<Record<string, JsonSchema>> }
}

/** Reads the operations of a description. */
export function readOperations(description: Description): Operation[] {
  const { schemas } = description.components
  const inline = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(inline)
    if (typeof value !== 'object' || value === null) return value
    const { $ref } = value as { $ref?: string }
    if ($ref !== undefined) return inline(schemas[$ref.split('/').at(-1) ?? ''])
    return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, inline(part)]))
  }
  return Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, described]) => {
      const { operationId, tags, security, parameters, requestBody, responses } = inline(
        described,
      ) as Described
      return {
        id: operationId,
        method: method.toUpperCase(),
        path,
        tag: tags[0] ?? '',
        isPublic: security?.length === 0,
        parameters: parameters ?? [],
        body: requestBody?.content?.['application/json']?.schema,
        responses: new Map(
          Object.entries(responses).map(([status, { content = {} }]) => {
            const [[type, { schema }] = ['', {}]] = Object.entries(content)
            return [Number(status), schema && { type, schema: close(schema) }]
          }),
        ),
      }
    }),
  )
}

/** An answer must not have members that its schema does not name. */
function close(schema: JsonSchema): JsonSchema {
  const { properties, items, anyOf } = schema
  return {
    ...schema,
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, member]) => [name, close(member)]),
      ),
      additionalProperties: schema.additionalProperties ?? false,
    }),
    ...(items && { items: close(items) }),
    ...(anyOf && { anyOf: anyOf.map(close) }),
  }
}
