import { signClientAssertion } from '@latchkey/verify'
import type { FastifyBaseLogger } from 'fastify'
import * as oauth from 'oauth4webapi'
import type { Login } from './logins.ts'
import { getServiceKey, type Settings } from './options.ts'

/** What auth gives an app. */
export interface Tokens {
  readonly accessToken: string
  readonly refreshToken: string
}

/** `refused`: auth does not accept the code or refresh token. `unavailable`: nothing is known. */
export type Answer = Tokens | 'refused' | 'unavailable'

/**
 * How long a request waits for tokens. If auth issues them later, they are lost, and after the grace
 * period the old refresh token ends the session: so not shorter, even while the old token is valid.
 */
const tokenTimeoutMs = 5_000
const revokeTimeoutMs = 2_000

/** The app as a client of auth (OAuth 2.1). */
export class AuthClient {
  readonly redirectUri: string
  readonly #server: oauth.AuthorizationServer
  readonly #client: oauth.Client
  readonly #authenticate: oauth.ClientAuth
  readonly #isInsecure: boolean

  constructor(settings: Settings) {
    const { issuer, issuerUrl, authUrl, clientId, base } = settings
    this.redirectUri = new URL('auth/callback', base).href
    this.#server = {
      issuer,
      authorization_endpoint: `${issuerUrl}/oauth/authorize`,
      token_endpoint: `${authUrl}/oauth/token`,
      revocation_endpoint: `${authUrl}/oauth/revoke`,
      authorization_response_iss_parameter_supported: true,
    }
    this.#client = { client_id: clientId }
    this.#isInsecure = authUrl.startsWith('http:')
    // RFC 7523 section 2.2
    this.#authenticate = async (_server, _client, body) => {
      body.set('client_id', clientId)
      body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
      body.set('client_assertion', await signClientAssertion(getServiceKey(settings), issuer))
    }
  }

  /** Where the browser goes to log in (RFC 6749 section 4.1.1, RFC 7636 section 4.3). */
  async describeLogin({ state, codeVerifier }: Login): Promise<string> {
    const parameters = new URLSearchParams({
      client_id: this.#client.client_id,
      redirect_uri: this.redirectUri,
      response_type: 'code',
      code_challenge: await oauth.calculatePKCECodeChallenge(codeVerifier),
      code_challenge_method: 'S256',
      state,
    })
    return `${this.#server.authorization_endpoint}?${parameters}`
  }

  /**
   * Exchanges the code in the answer of auth for tokens. Checks the issuer (RFC 9207) and the state.
   * Not checked: the tokens.
   */
  async redeem(
    answer: URLSearchParams,
    { state, codeVerifier }: Login,
    log: FastifyBaseLogger,
  ): Promise<Answer> {
    let checked: URLSearchParams
    try {
      checked = oauth.validateAuthResponse(this.#server, this.#client, answer, state)
      if (checked.getAll('code').length !== 1) throw new Error('not a single code')
    } catch (err) {
      log.warn({ err: describeError(err) }, 'login refused')
      return 'refused'
    }
    const limits = this.#limit(tokenTimeoutMs)
    return ask(log, async () => {
      const response = await oauth.authorizationCodeGrantRequest(
        ...this.#parties,
        checked,
        this.redirectUri,
        codeVerifier,
        limits,
      )
      return oauth.processAuthorizationCodeResponse(this.#server, this.#client, response)
    })
  }

  /**
   * Exchanges a refresh token for the next tokens (RFC 6749 section 6). Requests that race with the
   * same one get the same successor.
   */
  refresh({ refreshToken }: Tokens, log: FastifyBaseLogger): Promise<Answer> {
    const limits = this.#limit(tokenTimeoutMs)
    return ask(log, async () => {
      const response = await oauth.refreshTokenGrantRequest(...this.#parties, refreshToken, limits)
      return oauth.processRefreshTokenResponse(this.#server, this.#client, response)
    })
  }

  /** Ends the session of a refresh token (RFC 7009). */
  async revoke({ refreshToken }: Tokens): Promise<void> {
    const limits = this.#limit(revokeTimeoutMs)
    const response = await oauth.revocationRequest(...this.#parties, refreshToken, limits)
    await oauth.processRevocationResponse(response)
  }

  get #parties() {
    return [this.#server, this.#client, this.#authenticate] as const
  }

  #limit(timeoutMs: number) {
    const signal = AbortSignal.timeout(timeoutMs)
    return { signal, [oauth.allowInsecureRequests]: this.#isInsecure }
  }
}

/**
 * Asks for tokens. Of all errors only `invalid_grant` is about the code or the refresh token; others,
 * such as a timeout or `invalid_client`, tell nothing about it.
 */
async function ask(
  log: FastifyBaseLogger,
  request: () => Promise<oauth.TokenEndpointResponse>,
): Promise<Answer> {
  try {
    const { access_token: accessToken, refresh_token: refreshToken } = await request()
    if (refreshToken === undefined) throw new Error('auth has issued no refresh token')
    return { accessToken, refreshToken }
  } catch (err) {
    const isRefused = err instanceof oauth.ResponseBodyError && err.error === 'invalid_grant'
    const message = isRefused ? 'auth refused to issue tokens' : 'auth did not issue tokens'
    log[isRefused ? 'info' : 'warn']({ err: describeError(err) }, message)
    return isRefused ? 'refused' : 'unavailable'
  }
}

/** What may be logged of an error: its causes and properties can contain codes and tokens. */
export function describeError(err: unknown) {
  const { name, message, code, error, error_description, cause } = err as Partial<
    oauth.ResponseBodyError & { cause: { code?: string } }
  >
  return {
    name,
    message,
    code,
    error,
    error_description,
    cause: (cause as { code?: string })?.code,
  }
}
