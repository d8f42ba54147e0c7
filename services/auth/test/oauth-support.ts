import { createHash, randomBytes } from 'node:crypto'
import type { Service } from '@latchkey/service-kit'
import type { LightMyRequestResponse } from 'fastify'
import getPort from 'get-port'
import type { Test } from 'tap'
import type { AuthConfig } from '../src/config.ts'
import { deriveClientSecret } from '../src/keys/jwk.ts'
import { sameOrigin } from './pages-support.ts'
import { as, assertAs, password, startAuth } from './support.ts'

export const callback = 'https://orders.example.com/auth/callback'

/** What a test registers a client with. */
export interface TestClient {
  kind?: 'confidential' | 'public'
  redirect_uris?: string[]
  post_logout_uris?: string[]
  audiences?: string[]
  scope?: string
}

/** Registers a client as the operator. */
export async function addClient(app: Service, id: string, client: TestClient = {}): Promise<void> {
  const body = {
    kind: 'confidential',
    redirect_uris: [callback],
    audiences: ['orders', 'billing'],
    scope: 'openid profile email orders:read orders:write',
    ...client,
  }
  const operator = await assertAs(app, 'operator')
  const reply = await as(app, operator, 'PUT', `/v1/admin/clients/${id}`, body)
  if (reply.statusCode !== 200) throw new Error(reply.body)
}

/** The secret of a client, as `latchkey clients show --secret` prints it. */
export function secretOf({ keyring }: Service, id: string): string {
  const [root] = keyring.current.roots
  if (root === undefined) throw new Error('the keyring has no root key')
  return deriveClientSecret(root.secret, id)
}

/** A code verifier and its challenge (RFC 7636). */
export function createPkce() {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

/** The parameters of a right authorization request. */
export const authorizeParameters = (challenge: string, client = 'orders') => ({
  client_id: client,
  redirect_uri: callback,
  response_type: 'code',
  code_challenge: challenge,
  code_challenge_method: 'S256',
  state: 'state-1',
})

/** A browser without scripts: it keeps its cookies and sends forms. Any instance may answer. */
export class TestBrowser {
  readonly cookies = new Map<string, string>()
  readonly #pick: () => Service

  /** @param instances requests go to each in turn */
  constructor(...instances: Service[]) {
    let next = 0
    this.#pick = () => instances[next++ % instances.length] as Service
  }

  async #send(options: { method: 'GET' | 'POST'; url: string; payload?: string }) {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const isForm = options.payload !== undefined
    const reply = await this.#pick().inject({
      ...options,
      headers: {
        ...(cookie && { cookie }),
        ...(isForm && { ...sameOrigin, 'content-type': 'application/x-www-form-urlencoded' }),
      },
    })
    for (const { name, value } of reply.cookies) {
      if (value === '') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return reply
  }

  open = (url: string) => this.#send({ method: 'GET', url })

  submit = (url: string, fields: Record<string, string>) =>
    this.#send({ method: 'POST', url, payload: new URLSearchParams(fields).toString() })

  /** Opens the authorization endpoint, as an app's redirect does. */
  authorize = (parameters: Record<string, string>) =>
    this.open(`/oauth/authorize?${new URLSearchParams(parameters)}`)

  /** Follows the redirect to the login page, and logs in there. */
  async logIn(redirect: LightMyRequestResponse, email: string): Promise<LightMyRequestResponse> {
    const { searchParams } = new URL(locationOf(redirect), 'https://sso.example.com/oauth/')
    const request = searchParams.get('request') ?? ''
    return this.submit('/login', { email, password, request })
  }
}

export const locationOf = ({ headers, body }: LightMyRequestResponse): string => {
  if (headers.location === undefined) throw new Error(`not a redirect: ${body}`)
  return headers.location
}

/** The parameters of the redirect to an app. */
export const answerOf = (reply: LightMyRequestResponse): Record<string, string> =>
  Object.fromEntries(new URL(locationOf(reply)).searchParams)

/** Posts a form to the token or the revocation endpoint. */
export const postOAuth = (
  app: Service,
  path: 'token' | 'revoke',
  fields: Record<string, string>,
  headers: Record<string, string> = {},
) =>
  app.inject({
    method: 'POST',
    url: `/oauth/${path}`,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    payload: new URLSearchParams(fields).toString(),
  })

/** HTTP Basic with a client's secret. */
export const basic = (app: Service, id: string, secret = secretOf(app, id)) => ({
  authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`,
})

/** Redeems a code as a confidential client. */
export const redeem = (app: Service, code: string | undefined, verifier: string, id = 'orders') =>
  postOAuth(
    app,
    'token',
    {
      grant_type: 'authorization_code',
      code: code ?? '',
      redirect_uri: callback,
      code_verifier: verifier,
    },
    basic(app, id),
  )

/** Signs in to an app: a browser, and the tokens of the app. */
export async function signIn(app: Service, email: string, browser = new TestBrowser(app)) {
  const { verifier, challenge } = createPkce()
  const redirect = await browser.authorize(authorizeParameters(challenge))
  const isLogin = locationOf(redirect).startsWith('../login')
  const answer = answerOf(isLogin ? await browser.logIn(redirect, email) : redirect)
  const reply = await redeem(app, answer.code, verifier)
  if (reply.statusCode !== 200) throw new Error(reply.body)
  return { browser, tokens: reply.json(), code: answer.code ?? '', verifier }
}

/** An auth service that listens, with its own address as the issuer. */
export async function startListening(t: Test, overrides: Partial<AuthConfig> = {}) {
  const port = await getPort()
  const issuer = `http://127.0.0.1:${port}`
  const config = { LATCHKEY_ISSUER: issuer, LATCHKEY_PORT: port, ...overrides }
  const app = await startAuth(t, config)
  await app.listen({ port, host: '127.0.0.1' })
  return { app, issuer }
}

/** Opens an authorization URL in a new browser, and logs in. @returns where it is sent to */
export async function signInAt(app: Service, url: URL, email: string) {
  const browser = new TestBrowser(app)
  const redirect = await browser.open(`${url.pathname}${url.search}`)
  return { browser, location: locationOf(await browser.logIn(redirect, email)) }
}
