import { HmacSha256 } from './encoding/hmac.ts'
import type { KeySet } from './keys/keyring.ts'
import { openKeyring } from './keys/keyring-file.ts'
import { type KeySource, type KeysOption, readStaticKeys } from './keys/keys-option.ts'
import { TokenError } from './token/error.ts'
import { nodePlatform } from './token/node-platform.ts'
import { createPolicy, type Policy, type PolicyOptions } from './token/policy.ts'
import type { Claims, RegisteredClaims, Staleness } from './token/types.ts'
import { type CheckResult, Verification } from './token/verification.ts'

/** Options of `createVerifier`. */
export interface VerifierOptions extends PolicyOptions {
  /**
   * The keys: a keyring (`openKeyring`), the path of a JWK Set file that is reloaded when it changes, keys with
   * their IDs, or the bytes of one key, whose tokens need no `kid`. Never a string.
   */
  keys: KeysOption | { file: string }
}

/** Verifies access tokens. */
export interface Verifier<Extra extends object = RegisteredClaims> {
  /**
   * @param token a JWS in compact serialisation (RFC 7515 section 3.1)
   * @param staleness what to do while revocations are stale, if not what the options say
   * @returns its claims, frozen
   * @throws TokenError when it is refused
   */
  verify(token: string, staleness?: Staleness): Claims & Readonly<Extra>
  /** Like `verify`, but never throws, and builds no error object for a refused token. */
  check(token: string, staleness?: Staleness): CheckResult<Extra>
}

/**
 * Creates a verifier of HS256 access tokens: synchronous, in process, nothing is looked up.
 *
 * @typeParam Extra additional claims, for the compiler; they are not required of a token
 * @throws TypeError or RangeError when an option is missing or wrong
 * @throws KeyringError when the keys cannot be used
 */
export function createVerifier<Extra extends object = RegisteredClaims>(
  options: VerifierOptions,
): Verifier<Extra> {
  const policy = createPolicy(options)
  return new HmacVerifier(policy, readKeys(options.keys)) as Verifier<object> as Verifier<Extra>
}

function readKeys(keys: VerifierOptions['keys']): KeySource {
  if (typeof keys === 'object' && keys !== null && 'file' in keys) {
    return { ring: openKeyring(keys.file), isSole: false }
  }
  return readStaticKeys(keys)
}

class HmacVerifier implements Verifier<object> {
  readonly #policy: Policy
  readonly #source: KeySource
  readonly #verification: Verification<HmacSha256>
  #adopted: KeySet | undefined

  constructor(policy: Policy, source: KeySource) {
    this.#policy = policy
    this.#source = source
    this.#verification = new Verification(policy, nodePlatform)
  }

  verify(token: string, staleness?: Staleness): Claims {
    const result = this.check(token, staleness)
    if (result.ok) return result.claims
    throw new TokenError(result.error.code, result.error.claim)
  }

  check(token: string, staleness?: Staleness): CheckResult<object> {
    const { current } = this.#source.ring
    if (current !== this.#adopted) this.#adopt(current)
    const begun = this.#verification.begin(token, staleness)
    if (begun.ok !== undefined) return begun
    return this.#verification.finish(begun, begun.header.key.sign(token, begun.dot), staleness)
  }

  #adopt(set: KeySet): void {
    const { maxTokenBytes } = this.#policy
    const keys = set.keys.map(({ kid, secret }) => new HmacSha256(kid, secret, maxTokenBytes))
    this.#verification.adopt(keys, this.#source.isSole ? keys[0] : undefined)
    this.#adopted = set
  }
}
