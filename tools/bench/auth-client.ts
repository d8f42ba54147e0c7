import type { Service } from '@latchkey/service-kit'
import { signClientAssertion } from '@latchkey/verify'
import { deriveServiceSecret } from '../../services/auth/src/keys/jwk.ts'
import { openMail } from '../../services/auth/src/mail/seal.ts'

export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
}

/**
 * Sends a request such as `POST /v1/login` to an auth service in this process.
 *
 * @throws Error when the answer has another status
 */
export async function send<T>(
  app: Service,
  status: number,
  request: string,
  { token, payload }: { token?: string; payload?: object } = {},
): Promise<T> {
  const [method, url] = request.split(' ') as ['GET', string]
  const reply = await app.inject({
    method,
    url,
    ...(token !== undefined && { headers: { authorization: `Bearer ${token}` } }),
    ...(payload && { payload }),
  })
  if (reply.statusCode !== status) {
    throw new Error(`${request} was answered with ${reply.statusCode}: ${reply.body}`)
  }
  return reply.body === '' ? (undefined as T) : reply.json<T>()
}

/** A client assertion of a service, or of the operator. */
export function assertAs(app: Service, service: string): Promise<string> {
  const [root] = app.keyring.current.roots
  if (root === undefined) throw new Error('The keyring has no root key.')
  const secret = deriveServiceSecret(root.secret, service)
  const key = { kid: `${root.kid}/${service}`, alg: 'HS256', service, secret } as const
  return signClientAssertion(key, app.config.LATCHKEY_ISSUER)
}

/** The code that was mailed last to an address. */
export async function readCode(app: Service, recipient: string) {
  const { rows } = await app.db.query(
    'SELECT id, sealed FROM outbox WHERE recipient = $1 ORDER BY id DESC LIMIT 1',
    [recipient],
  )
  const [{ id, sealed }] = rows
  const { roots } = app.keyring.current
  const { verificationId, code } = openMail(roots, { id, recipient }, sealed)
  return { verification_id: verificationId, code }
}

/** A browser without scripts: it keeps its cookie and sends forms to an auth service in this process. */
export class FormBrowser {
  readonly #app: Service
  #cookie = ''

  constructor(app: Service) {
    this.#app = app
  }

  /** @returns where the answer leads to */
  open = (url: string): Promise<string> => this.#send('GET', url)

  submit = (url: string, fields: Record<string, string>): Promise<string> =>
    this.#send('POST', url, new URLSearchParams(fields).toString())

  async #send(method: 'GET' | 'POST', url: string, payload?: string): Promise<string> {
    const type = { 'content-type': 'application/x-www-form-urlencoded' }
    const own = { cookie: this.#cookie, 'sec-fetch-site': 'same-origin' }
    const headers = { ...own, ...(payload !== undefined && type) }
    const reply = await this.#app.inject({ method, url, headers, ...(payload && { payload }) })
    for (const { name, value } of reply.cookies) this.#cookie = `${name}=${value}`
    return reply.headers.location ?? ''
  }
}
