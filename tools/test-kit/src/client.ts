import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a login or a refresh answers. */
export interface Tokens {
  access_token: string
  refresh_token: string
  expires_in: number
}

/** Who logs in. */
export interface Person {
  email: string
  password: string
}

const timeoutMs = 10_000

/** Sends JSON; a request that gets no answer is status 0. */
export async function send(
  url: string,
  { method = 'GET', token, body }: { method?: string; token?: string; body?: object } = {},
): Promise<{ status: number; servedBy: string; retryAfter: string | null; reply: unknown }> {
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
      servedBy: response.headers.get('x-served-by') ?? '',
      retryAfter: response.headers.get('retry-after'),
      reply: text && JSON.parse(text),
    }
  } catch {
    return { status: 0, servedBy: '', retryAfter: null, reply: undefined }
  }
}

/** Registers a user nobody else has. */
export async function register(url: string): Promise<Person> {
  const person = { email: `${randomUUID()}@example.com`, password: randomUUID() }
  const { status } = await send(`${url}/auth/v1/register`, { method: 'POST', body: person })
  if (status !== 201) throw new Error(`a user could not be registered: ${status}`)
  return person
}

/** Logs in, trying on while the service is away. */
export async function login(url: string, person: Person): Promise<Tokens> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const { status, reply } = await send(`${url}/auth/v1/login`, { method: 'POST', body: person })
    if (status === 200) return reply as Tokens
    if (status !== 0 && status < 500) throw new Error(`a login was refused: ${status}`)
    await sleep(100)
  }
  throw new Error('nobody could log in for half a minute')
}

/** Logs out, trying on until it is acknowledged. @returns when that was, on the clock of `performance.now` */
export async function logout(url: string, token: string): Promise<number> {
  for (let attempt = 0; attempt < 300; attempt += 1) {
    const { status } = await send(`${url}/auth/v1/logout`, { method: 'POST', token })
    if (status === 204) return performance.now()
    if (status !== 0 && status < 500) throw new Error(`a logout was refused: ${status}`)
    await sleep(100)
  }
  throw new Error('nobody could log out for half a minute')
}
