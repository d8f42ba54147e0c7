import type { GeneratorValue } from 'fast-check'
import fc from 'fast-check'
import { valuesOf } from './generate-values.ts'
import type { JsonSchema, Operation } from './operations.ts'

/**
 * A request before it is text. Its values may contain placeholders for what only the sender knows:
 * `~email~`, `~password~`, `~verification_id~` and so on, and the credentials
 * `~user~`, `~admin~`, `~operator~` and `~service~`.
 */
export interface Draft {
  readonly operation: Operation
  method: string
  readonly params: Record<string, string>
  readonly query: [name: string, value: string][]
  /** Follows the path and the query, as it is. */
  suffix: string
  authorization: string | undefined
  contentType: string
  /** More lines, as bytes. */
  readonly headers: string[]
  body: unknown
  /** Changes the text of the body, in which each character is a byte. */
  changeText: (text: string) => string
  /** How much longer the body is declared than it is. */
  lengthError: number
}

/** A request as text, in which each character is a byte, with placeholders. */
export interface Plan {
  readonly operation: Operation
  readonly kind: string
  readonly variation: string
  readonly mustBeRefused: boolean
  readonly method: string
  readonly target: string
  /** What follows the path and the query of the operation. */
  readonly suffix: string
  readonly headers: readonly string[]
  readonly body: string | undefined
  readonly lengthError: number
}

/** Members whose valid value depends on the caller, and their placeholder. */
const ofCaller: Readonly<Record<string, string>> = {
  password: '~password~',
  current_password: '~password~',
  refresh_token: '~refresh_token~',
  verification_id: '~verification_id~',
  code: '~code~',
}

/** The schema of the members of a body. */
export const objectSchemaOf = (schema: JsonSchema | undefined): JsonSchema | undefined =>
  schema?.properties ? schema : schema?.anyOf?.find(({ properties }) => properties)

/** Drafts a valid request. Most of them are by a caller who may send it. */
export function draftValid(operation: Operation, g: GeneratorValue): Draft {
  const chance = (percent: number) => g(fc.nat, 99) < percent
  const bind = (name: string, value: unknown) => {
    if (name === 'email' || name === 'email_prefix') return chance(60) ? '~email~' : value
    return ofCaller[name] ?? value
  }
  const isBound = chance(85)
  const bindAll = (value: unknown) =>
    typeof value !== 'object' || value === null
      ? value
      : Object.fromEntries(Object.entries(value).map(([name, part]) => [name, bind(name, part)]))

  const params: Record<string, string> = {}
  const query: [string, string][] = []
  for (const { in: part, name, required, schema } of operation.parameters) {
    const value = g(() => valuesOf(schema))
    if (part === 'path') params[name] = isBound ? placeholderOfId(operation.path) : String(value)
    else if (required || chance(50)) query.push([name, String(isBound ? bind(name, value) : value)])
  }
  const body = operation.body && g(() => valuesOf(operation.body as JsonSchema))
  return {
    operation,
    method: operation.method,
    params,
    query,
    suffix: '',
    authorization: chance(85)
      ? g(fc.constantFrom, ...likelyCallers(operation))
      : g(fc.constantFrom, ...callers),
    contentType: 'application/json',
    headers: [],
    body: isBound ? bindAll(body) : body,
    changeText: (text) => text,
    lengthError: 0,
  }
}

function placeholderOfId(path: string): string {
  if (path.includes('/sessions/')) return '~session_id~'
  return path.includes('/clients/') ? '~client_id~' : '~user_id~'
}

const [user, admin, operator, service] = ['user', 'admin', 'operator', 'service'].map(
  (name) => `Bearer ~${name}~`,
)
const callers = [undefined, user, admin, operator, service]

function likelyCallers({ tag, isPublic }: Operation): (string | undefined)[] {
  if (tag === 'admin') return [admin, operator]
  if (tag === 'services') return [operator, service]
  return isPublic ? [undefined, user] : [user, user, admin]
}

/** The request as text. */
export function render(
  draft: Draft,
  { kind, variation, mustBeRefused }: Pick<Plan, 'kind' | 'variation' | 'mustBeRefused'>,
): Plan {
  const { operation, method, params, query, suffix, authorization, body, lengthError } = draft
  const path = operation.path.replace(/\{(\w+)\}/g, (_, name) => encode(params[name] ?? ''))
  const search = query.map((pair) => pair.map(encode).join('=')).join('&')
  const json = body === undefined ? undefined : JSON.stringify(body)
  const text = draft.changeText(Buffer.from(json ?? '').toString('latin1'))
  const hasBody = json !== undefined || text !== ''
  return {
    operation,
    kind,
    variation,
    mustBeRefused,
    method,
    target: path + (search && `?${search}`) + suffix,
    suffix,
    headers: [
      'X-Forwarded-For: ~network~',
      ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
      ...(hasBody && draft.contentType !== '' ? [`Content-Type: ${draft.contentType}`] : []),
      ...draft.headers,
    ],
    body: hasBody ? text : undefined,
    lengthError,
  }
}

/** Percent-encodes text, also text that is not well-formed. */
const encode = (text: string) =>
  [...Buffer.from(text)]
    .map((byte) =>
      /[\w.~@-]/.test(String.fromCharCode(byte))
        ? String.fromCharCode(byte)
        : `%${byte.toString(16).padStart(2, '0')}`,
    )
    .join('')
