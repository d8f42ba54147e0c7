import Schema from 'typebox/schema'
import { password } from '../support.ts'
import type { Plan } from './draft.ts'
import type { JsonSchema, Operation } from './operations.ts'
import type { Cast } from './people.ts'
import type { Answer } from './send.ts'

/** Statuses that any request may get, also before an operation has seen it. */
const generic = [400, 404, 405, 408, 413, 414, 415, 429, 431, 503]
/** Where no operation is, a wrong token is refused before the path. */
const elsewhere = 401

/** What no answer may contain, unless its request did. */
const leaks: readonly [name: string, pattern: RegExp][] = [
  [
    'SQL',
    /\b(SELECT|INSERT INTO|UPDATE \w+\s+SET|DELETE FROM|ON CONFLICT)\b|\bpg_\w|syntax error at/,
  ],
  ['a stack', /\n\s+at |\\n\s+at |\.[jt]s:\d|node:internal|node_modules/],
  ['a URL of the database', /postgres(ql)?:/],
]
const tokens = /eyJ[\w-]+\.[\w-]+\.[\w-]+|lkr_[\w-]{70}/g
const emails = /[\w.+-]+@[\w-]+\.[\w.-]+\w/g

/** The secrets in a text: tokens, hashes, and the password that all users have. */
export const findSecrets = (text: string): string[] => [
  ...(text.match(tokens) ?? []),
  ...(text.match(/\$argon2/g) ?? []),
  ...(text.match(password) ?? []),
]

interface Context {
  readonly plan: Plan
  readonly cast: Cast
  readonly operations: readonly Operation[]
  readonly problem: JsonSchema
  /** Addresses that the description itself contains. */
  readonly examples: string
  /** The request as it was sent. */
  readonly sent: string
}

/** @returns what is wrong with an answer, in words */
export function findFaults(answer: Answer, context: Context): string[] {
  const { status, headers, body } = answer
  const { plan, problem } = context
  if (status === 0) return [`no answer within the time, but ${JSON.stringify(answer.text)}`]
  const faults: string[] = []
  const operation = findOperation(context)
  const isElsewhere = !operation || /^[^?]/.test(plan.suffix)
  const isDocumented = generic.includes(status) || operation?.responses.has(status)
  if (!isDocumented && !(isElsewhere && status === elsewhere)) {
    faults.push('its status is not documented')
  }
  if (plan.mustBeRefused && status < 400) faults.push('it must be refused')
  if (plan.method !== 'HEAD') {
    const length = headers.get('content-length')
    if (length !== undefined && Number(length) !== Buffer.byteLength(body)) {
      faults.push('its Content-Length is wrong')
    }
    const expected =
      status < 400
        ? operation?.responses.get(status)
        : { type: 'application/problem+json', schema: problem }
    faults.push(...findSchemaFaults(answer, expected))
  }
  return [...faults, ...findLeaks(answer, context)]
}

/** The operation that a request reaches: with another method it may be another one. */
const findOperation = ({ plan, operations }: Context) =>
  operations.find(
    ({ path, method }) =>
      path === plan.operation.path && method === plan.method.replace('HEAD', 'GET'),
  )

function findSchemaFaults(
  { status, headers, body }: Answer,
  expected: { type: string; schema: JsonSchema } | undefined,
): string[] {
  if (!expected) return body === '' ? [] : ['it has a body']
  const type = headers.get('content-type')?.split(';')[0]
  if (type !== expected.type) return [`its content type is ${type}`]
  let value: { status?: number; request_id?: string }
  try {
    value = JSON.parse(body)
  } catch {
    return ['its body is not JSON']
  }
  const [isValid, errors] = Schema.Errors(expected.schema, value)
  if (!isValid) return errors.map(({ instancePath, message }) => `${instancePath} ${message}`)
  if (status < 400) return []
  const id = headers.get('x-request-id')
  return value.status === status && (id === undefined || id === value.request_id)
    ? []
    : ['its status or its request ID differ from those of the problem']
}

function findLeaks({ status, text, headers }: Answer, context: Context): string[] {
  const { sent, cast, plan, examples } = context
  const found = leaks.flatMap(([name, pattern]) => {
    const [match] = pattern.exec(text) ?? []
    return match === undefined || sent.includes(match) ? [] : [`it contains ${name}: ${match}`]
  })
  const isTokenReply =
    status === 200 && plan.operation.responses.get(200)?.schema.properties?.access_token
  const secrets = findSecrets(isTokenReply ? text.replace(tokens, '') : text)
  found.push(...secrets.map((secret) => `it contains ${secret}`))
  // Those who may read other accounts.
  const isPrivileged = /~(admin|operator)~/.test(plan.headers.join())
  const known = `${sent}\n${cast.sender.email}\n${cast.values.mailed_to}\n${examples}`.toLowerCase()
  const strangers = (text.match(emails) ?? []).filter(
    (email) => !known.includes(email.toLowerCase()),
  )
  if (!isPrivileged && strangers.length > 0) found.push(`it contains ${strangers.join()}`)
  for (const name of ['set-cookie', 'server', 'x-powered-by']) {
    if (headers.has(name)) found.push(`it has the header ${name}`)
  }
  return found
}
