import { objectSchemaOf } from './draft.ts'
import { beyondBoundsOf, wrongTypesOf } from './generate-values.ts'
import type { JsonSchema, Operation } from './operations.ts'
import { any, hasMembers, membersOf, one, type Variation } from './variation.ts'

const requiredOf = ({ body }: Operation) => objectSchemaOf(body)?.required ?? []

const queryOf = ({ parameters }: Operation) => parameters.filter((part) => part.in === 'query')
const hasQuery = (operation: Operation) => queryOf(operation).length > 0
const hasPath = ({ parameters }: Operation) => parameters.some((part) => part.in === 'path')

/** A member with one of the values that `valuesFor` finds for its schema. */
const withMember = (name: string, valuesFor: (schema: JsonSchema) => unknown[]): Variation => {
  const candidates = (operation: Operation) =>
    membersOf(operation).flatMap(([member, schema]) =>
      valuesFor(schema).map((value) => [member, value] as const),
    )
  return {
    name,
    appliesTo: (operation) => candidates(operation).length > 0,
    mustBeRefused: true,
    change(draft, g) {
      const [member, value] = one(g, candidates(draft.operation))
      draft.body = { ...(draft.body as object), [member]: value }
    },
  }
}

const almostUuids: ((id: string) => string)[] = [
  (id) => `urn:uuid:${id}`,
  (id) => `{${id}}`,
  (id) => `${id}0`,
  (id) => ` ${id}`,
  (id) => `${id}\n`,
  (id) => `${id},${id}`,
  () => '01A21A52-6F0E-7C1C-9E0F-3B1D6A7C9F10',
  () => '01a21a526f0e7c1c9e0f3b1d6a7c9f10',
  () => '01a21a52-6f0e-7c1c-9e0f-3b1d6a7c9f1g',
  () => '01a21a52-6f0e-7c1c-9e0f-3b1d6a7c9f1',
  () => '',
  () => '0',
  () => 'null',
  () => '٠1a21a52-6f0e-7c1c-9e0f-3b1d6a7c9f10',
]

const otherTypes = [
  '',
  'text/plain',
  'application/x-www-form-urlencoded',
  'application/jsonp',
  'application/xml',
  'json',
  'application/json, text/plain',
] as const

const otherMethods = [
  'GET',
  'HEAD',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'OPTIONS',
  'TRACE',
  'QUERY',
  'PROPFIND',
]

/** One thing wrong with an otherwise valid request. */
export const nearValid: readonly Variation[] = [
  {
    name: 'a member missing',
    appliesTo: (operation) => requiredOf(operation).length > 0,
    mustBeRefused: true,
    change(draft, g) {
      const { [one(g, requiredOf(draft.operation))]: _, ...rest } = draft.body as Record<
        string,
        unknown
      >
      draft.body = rest
    },
  },
  withMember('a member of another type', wrongTypesOf),
  withMember('a member beyond its bounds', beyondBoundsOf),
  {
    name: 'an unknown member',
    appliesTo: ({ body }) => objectSchemaOf(body)?.additionalProperties === false,
    mustBeRefused: true,
    change(draft, g) {
      const name = one(g, [
        'admin',
        'id',
        'Email',
        'password_hash',
        'email_verified',
        '',
        'toString',
      ])
      draft.body = { ...(draft.body as object), [name]: true }
    },
  },
  {
    name: 'a member twice',
    appliesTo: hasMembers,
    change(draft, g) {
      const [name] = one(g, membersOf(draft.operation))
      const first = one(g, ['1', 'null', '"x"', '"~email~"', '[]'])
      draft.changeText = (text) => text.replace('{', `{${JSON.stringify(name)}:${first},`)
    },
  },
  {
    name: 'a body that is not an object',
    appliesTo: hasMembers,
    mustBeRefused: true,
    change(draft, g) {
      draft.body = one(g, [[], [draft.body], JSON.stringify(draft.body), 1, true])
    },
  },
  {
    name: 'no body',
    appliesTo: (operation) => requiredOf(operation).length > 0,
    mustBeRefused: true,
    change(draft) {
      draft.body = undefined
    },
  },
  {
    name: 'another content type',
    appliesTo: hasMembers,
    mustBeRefused: true,
    change(draft, g) {
      draft.contentType = one(g, otherTypes)
    },
  },
  {
    name: 'another method',
    appliesTo: any,
    change(draft, g) {
      draft.method = one(g, otherMethods)
    },
  },
  {
    name: 'almost a UUID',
    appliesTo: hasPath,
    mustBeRefused: true,
    change(draft, g) {
      for (const name of Object.keys(draft.params)) {
        draft.params[name] = one(g, almostUuids)(draft.params[name] ?? '')
      }
    },
  },
  {
    name: 'a parameter twice',
    appliesTo: hasQuery,
    change(draft, g) {
      const { name } = one(g, queryOf(draft.operation))
      draft.query.push([name, '~email~'], [name, '1'])
    },
  },
  {
    name: 'a parameter beyond its bounds',
    appliesTo: hasQuery,
    change(draft, g) {
      const { name, schema } = one(g, queryOf(draft.operation))
      const values = beyondBoundsOf(schema).map(String)
      draft.query.push([
        name,
        one(g, [...values, '', '-1', '1.5', '0x10', '1e3', 'x'.repeat(2_000)]),
      ])
    },
  },
  {
    name: 'an unknown parameter',
    appliesTo: any,
    change(draft, g) {
      draft.query.push([one(g, ['x', 'Email', 'limit ', 'access_token']), '1'])
    },
  },
]
