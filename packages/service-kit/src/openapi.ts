import { STATUS_CODES } from 'node:http'
import swagger, { type FastifyDynamicSwaggerOptions } from '@fastify/swagger'
import type { FastifyContextConfig, FastifySchema, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { Problem } from './problem.ts'

interface OpenapiOptions {
  title: string
  description: string
}

/** The parts of a JSON Schema that decide how it is described. */
type Response = { type?: string; description?: string; content?: object }
type Responses = Record<string, Response>

/**
 * The service's OpenAPI 3.1 description, generated from the schemas of its routes: `app.swagger()`.
 * Routes without a tag are left out.
 *
 * What the configuration of a route implies is added here, so that no route repeats it: whether it
 * needs a token, and the problems that follow.
 */
export const openapi = fp<OpenapiOptions>(
  async (app, { title, description }) => {
    await app.register(swagger, {
      hideUntagged: true,
      stripBasePath: false,
      transform: ({ schema, url, route }) => ({ schema: describeOperation(schema, route), url }),
      transformObject: (description) =>
        'openapiObject' in description ? nameSchemas(description.openapiObject) : {},
      openapi: {
        openapi: '3.1.0',
        info: {
          title,
          description,
          version: '1',
          license: { name: 'MIT', identifier: 'MIT' },
        },
        components: {
          securitySchemes: {
            accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
          },
        },
        security: [{ accessToken: [] }],
        // Relative to the URL of this description.
        servers: [{ url: '..' }],
      },
    } satisfies FastifyDynamicSwaggerOptions)
  },
  { name: 'openapi', fastify: '5.x' },
)

/** What each problem means, where its operation says nothing else. */
const problems: Record<number, string> = {
  400: 'The request is not valid.',
  401: 'The token is missing, not valid, expired or revoked.',
  403: 'The token lacks a scope or a role.',
  404: 'It does not exist, or the caller may not see it.',
  409: 'The request conflicts with the current state.',
  429: 'Too many requests. Wait the number of seconds in Retry-After.',
  503: 'The service cannot answer now. Try again after the number of seconds in Retry-After.',
}

/** Adds what follows from the route's configuration, and the content types. */
function describeOperation(schema: FastifySchema | undefined, { config = {} }: RouteOptions) {
  if (schema === undefined) return {}
  const { response = {}, ...rest } = schema
  const implied = impliedProblems(schema, config).map((status) => [status, Problem] as const)
  const responses: Responses = { ...Object.fromEntries(implied), ...(response as Responses) }
  return {
    ...rest,
    ...(config.public === true && { security: [] }),
    response: Object.fromEntries(
      Object.entries(responses).map(([status, body]) => [status, describe(status, body)]),
    ),
  }
}

function impliedProblems(
  { body, params, querystring }: FastifySchema,
  { public: isPublic, scopes, roles, rateLimit }: FastifyContextConfig & { rateLimit?: unknown },
): number[] {
  return [
    ...(body || params || querystring ? [400] : []),
    ...(isPublic ? [] : [401]),
    ...(scopes || roles ? [403] : []),
    ...(rateLimit ? [429] : []),
    503,
  ]
}

function describe(status: string, schema: Response) {
  // A route whose answers have another media type names it.
  if (schema.type === 'null' || schema.content !== undefined) return schema
  if (schema !== Problem) {
    const description = schema.description ?? STATUS_CODES[status] ?? 'Success'
    return { description, content: { 'application/json': { schema } } }
  }
  const description = problems[Number(status)] ?? STATUS_CODES[status] ?? 'Problem'
  return { description, content: { 'application/problem+json': { schema } } }
}

/**
 * Moves the schemas of responses that have a title to the components, so that generators create one
 * type for each. Fastify's own shared schemas would do the same, but adding one replaces the
 * validator of `createValidatorCompiler` with a lenient one.
 */
function nameSchemas(description: object): object {
  const named: Record<string, object> = {}
  const text = JSON.stringify(description, (_key, value) => {
    if (typeof value?.title !== 'string' || value.properties === undefined) return value
    named[value.title] = value
    return { $ref: `#/components/schemas/${value.title}` }
  })
  const { components, ...rest } = JSON.parse(text)
  return { ...rest, components: { ...components, schemas: named } }
}
