import { isDeepStrictEqual } from 'node:util'

/** Sends a request for an address. */
export type Flow = (email: string) => Promise<Response>

const password = 'correct horse battery'
let sent = 0

/** The requests whose answers could reveal whether an address has an account. */
export function createFlows(url: string, token: string): Record<string, Flow> {
  const send = (path: string, body: object, headers: Record<string, string> = {}) => {
    sent += 1
    return fetch(url + path, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: {
        'content-type': 'application/json',
        // A network of its own, so that no limit interferes.
        'x-forwarded-for': `10.${sent >> 16}.${(sent >> 8) & 255}.${sent & 255}`,
        ...headers,
      },
    })
  }
  return {
    registration: (email) => send('/v1/register', { email, password }),
    'login, wrong password': (email) => send('/v1/login', { email, password: 'wrong' }),
    'password reset': (email) => send('/v1/password-reset', { email }),
    'change of address': (email) =>
      send('/v1/me/email', { email, password }, { authorization: `Bearer ${token}` }),
  }
}

/** What a client sees, without what is random or changes with the time. */
async function describe(reply: Response) {
  const {
    request_id: _,
    verification_id: id = '',
    ...body
  } = (await reply.json()) as Record<string, string>
  const headers = Object.fromEntries(reply.headers)
  for (const name of ['date', 'x-request-id', 'x-ratelimit-reset']) {
    if (name in headers) headers[name] = ''
  }
  return { status: reply.status, headers, body: { ...body, id: id.length } }
}

/**
 * @returns a function that times a request in milliseconds, until its body has arrived
 * @throws Error when its answer differs from that of the first, or refuses the request
 */
export function createTimer(flow: Flow): (email: string) => Promise<number> {
  let first: object | undefined
  return async (email) => {
    const started = performance.now()
    const reply = await flow(email)
    const copy = reply.clone()
    await reply.arrayBuffer()
    const milliseconds = performance.now() - started
    const seen = await describe(copy)
    first ??= seen
    const isExpected = seen.status === 202 || seen.status === 401
    if (!isExpected || !isDeepStrictEqual(seen, first)) {
      throw new Error(`The answers differ: ${JSON.stringify([first, seen])}`)
    }
    return milliseconds
  }
}
