import { readBearerToken, refineResult } from './bearer.ts'
import { decodeSegment, encodeBase64url } from './encoding/base64url.ts'
import type { KeySet } from './keys/keyring.ts'
import { type KeySource, type KeysOption, readStaticKeys } from './keys/keys-option.ts'
import { describeRefusal } from './refusal.ts'
import { authorize, type Requirements } from './requirements.ts'
import { TokenError } from './token/error.ts'
import { createPolicy, type Policy, type PolicyOptions } from './token/policy.ts'
import type { Claims, RegisteredClaims, Staleness } from './token/types.ts'
import { type CheckResult, type Platform, Verification } from './token/verification.ts'

export { parseKeySet } from './keys/key-set.ts'
export { KeyringError, type KeySet } from './keys/keyring.ts'
export type { KeysOption, StaticKey } from './keys/keys-option.ts'
export type { Requirements } from './requirements.ts'
export {
  createRevocationFeed,
  type RevocationFeed,
  type RevocationFeedOptions,
  type RevocationFeedState,
} from './revocation/feed.ts'
export { TokenError, type TokenErrorCode, type TokenErrorStatus } from './token/error.ts'
export type { PolicyOptions } from './token/policy.ts'
export * from './token/types.ts'
export type { CheckResult } from './token/verification.ts'

/** Options of `createVerifier`. */
export interface FetchVerifierOptions extends PolicyOptions {
  /** The keys: `{ current: parseKeySet(text) }`, keys with their IDs, or the bytes of one key. Never a string. */
  keys: KeysOption
}

/** The answer of `authenticate`. */
export type AuthenticateResult<Extra extends object = RegisteredClaims> =
  | { readonly ok: true; readonly claims: Claims & Readonly<Extra> }
  | { readonly ok: false; readonly error: unknown; readonly response: Response }

/** Verifies access tokens with WebCrypto, which is asynchronous. */
export interface FetchVerifier<Extra extends object = RegisteredClaims> {
  /**
   * @returns the token's claims, frozen
   * @throws TokenError when it is refused
   */
  verify(token: string, staleness?: Staleness): Promise<Claims & Readonly<Extra>>
  /** Like `verify`, but a refused token is a value and no error. */
  check(token: string, staleness?: Staleness): Promise<CheckResult<Extra>>
  /**
   * Checks the token of a request and what the route asks for.
   *
   * @returns the claims, or the response that refuses the request (RFC 6750, RFC 9457). Never rejects.
   */
  authenticate(request: Request, requirements?: Requirements): Promise<AuthenticateResult<Extra>>
}

/**
 * Creates a verifier for runtimes with the Fetch API and WebCrypto: edge functions, Hono, Deno, Bun.
 *
 * It accepts and refuses exactly the tokens that the verifier of `@latchkey/verify` does.
 *
 * @throws TypeError or RangeError when an option is missing or wrong
 * @throws KeyringError when the keys cannot be used
 */
export function createVerifier<Extra extends object = RegisteredClaims>(
  options: FetchVerifierOptions,
): FetchVerifier<Extra> {
  const policy = createPolicy(options)
  const verifier: FetchVerifier<object> = new WebVerifier(policy, readStaticKeys(options.keys))
  return verifier as FetchVerifier<Extra>
}

const HMAC = { name: 'HMAC', hash: 'SHA-256' }
const encoder = new TextEncoder()
const decoder = new TextDecoder()

const webPlatform: Platform = {
  decode: decodeSegment,
  flatten: (text) => decoder.decode(encoder.encode(text)),
}

type CryptoKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>

interface WebKey {
  readonly kid: string
  readonly secret: Promise<CryptoKey>
}

class WebVerifier implements FetchVerifier<object> {
  readonly #source: KeySource
  readonly #verification: Verification<WebKey>
  #adopted: KeySet | undefined

  constructor(policy: Policy, source: KeySource) {
    this.#source = source
    this.#verification = new Verification(policy, webPlatform)
  }

  async verify(token: string, staleness?: Staleness): Promise<Claims> {
    const result = await this.check(token, staleness)
    if (result.ok) return result.claims
    throw new TokenError(result.error.code, result.error.claim)
  }

  async check(token: string, staleness?: Staleness): Promise<CheckResult<object>> {
    const { current } = this.#source.ring
    if (current !== this.#adopted) this.#adopt(current)
    const begun = this.#verification.begin(token, staleness)
    if (begun.ok !== undefined) return begun
    const signature = await sign(begun.header.key, token.slice(0, begun.dot))
    return this.#verification.finish(begun, signature, staleness)
  }

  async authenticate(
    request: Request,
    requirements: Requirements = {},
  ): Promise<AuthenticateResult<object>> {
    let error: unknown
    try {
      const result = await this.#checkRequest(request, requirements)
      const refused = result.ok ? authorize(result.claims, requirements) : result
      if (result.ok && refused === undefined) return result
      error = refused?.error
    } catch (err) {
      error = err
    }
    const { status, headers, body } = describeRefusal(error, requirements)
    return { ok: false, error, response: new Response(body, { status, headers }) }
  }

  async #checkRequest(request: Request, staleness: Staleness): Promise<CheckResult<object>> {
    // Several headers arrive joined by a comma, and so as no token.
    const token = readBearerToken(request.headers.get('authorization'))
    return typeof token === 'string'
      ? refineResult(await this.check(token, staleness), token)
      : token
  }

  #adopt(set: KeySet): void {
    const keys = set.keys.map(({ kid, secret }) => ({ kid, secret: importKey(secret) }))
    this.#verification.adopt(keys, this.#source.isSole ? keys[0] : undefined)
    this.#adopted = set
  }
}

function importKey(secret: Uint8Array): Promise<CryptoKey> {
  return crypto.subtle.importKey('raw', Uint8Array.from(secret), HMAC, false, ['sign'])
}

async function sign(key: WebKey, text: string): Promise<string | undefined> {
  const bytes = encoder.encode(text)
  if (bytes.length !== text.length) return undefined
  return encodeBase64url(new Uint8Array(await crypto.subtle.sign(HMAC, await key.secret, bytes)))
}
