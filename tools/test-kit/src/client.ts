import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** The reply to a login or a refresh. */
export interface Tokens {
  access_token: string
  refresh_token: string
  /** Seconds until the access token expires. */
  expires_in: number
}

/** A user's credentials. */
export interface Person {
  email: string
  password: string
}

/** A request to send. The default method is POST with a body, else GET. */
export interface Outgoing {
  readonly method?: string
  readonly token?: string
  readonly body?: object
  readonly timeoutMs?: number
}

/** An answer. Status 0 means that none arrived. */
export interface Incoming {
  readonly status: number
  readonly retryAfter: string | null
  readonly reply: unknown
}

const retryMs = 100
const maxAttempts = 300

/** Sends JSON. Never rejects. */
export async function send(
  url: string,
  { token, body, method = body ? 'POST' : 'GET', timeoutMs = 10_000 }: Outgoing = {},
): Promise<Incoming> {
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...(token && { authorization: `Bearer ${token}` }),
        ...(body && { 'content-type': 'application/json' }),
      },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(timeoutMs),
    })
    const text = await response.text()
    return {
      status: response.status,
      retryAfter: response.headers.get('retry-after'),
      reply: text && JSON.parse(text),
    }
  } catch {
    return { status: 0, retryAfter: null, reply: undefined }
  }
}

/** Registers a new user. */
export async function register(url: string): Promise<Person> {
  const person = { email: `${randomUUID()}@example.com`, password: randomUUID() }
  const { status } = await send(`${url}/auth/v1/register`, { body: person })
  if (status !== 201) throw new Error(`Registration failed with status ${status}.`)
  return person
}

/** Logs in; retries while the service is unavailable. */
export async function login(url: string, person: Person): Promise<Tokens> {
  return (await post(`${url}/auth/v1/login`, 200, { body: person })) as Tokens
}

/**
 * Logs out; retries until the logout is acknowledged.
 *
 * @returns when that was, on the clock of `performance.now`
 */
export async function logout(url: string, token: string): Promise<number> {
  await post(`${url}/auth/v1/logout`, 204, { token })
  return performance.now()
}

/** Posts until the answer has the expected status; any other answer below 500 is an error. */
async function post(url: string, expected: number, request: Outgoing): Promise<unknown> {
  for (let attempt = 0; attempt < maxAttempts; attempt += 1) {
    const { status, reply } = await send(url, { ...request, method: 'POST' })
    if (status === expected) return reply
    if (status !== 0 && status < 500) throw new Error(`${url} answered ${status}.`)
    await sleep(retryMs)
  }
  throw new Error(`${url} was unavailable for ${(maxAttempts * retryMs) / 1_000} s.`)
}
