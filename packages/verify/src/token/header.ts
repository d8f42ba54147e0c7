import { type DecodeSegment, encodeJson } from '../encoding/base64url.ts'
import { isObject, parseJson } from '../encoding/json.ts'
import type { Key } from '../keys/keyring.ts'
import { createRefusal, type Refused } from './error.ts'
import { normaliseType } from './policy.ts'

const MALFORMED = createRefusal('token_malformed')
const ALGORITHM = createRefusal('token_algorithm')
const TYPE = createRefusal('token_type')
const UNKNOWN_KEY = createRefusal('token_unknown_key')

/** Maximum number of header spellings learned in addition to the canonical ones. */
const MAX_LEARNED = 256

/** An accepted JOSE header: its key, and whether its type is `at+jwt` (RFC 9068). */
export interface AcceptedHeader<K> {
  readonly ok: true
  readonly key: K
  readonly isAccessToken: boolean
  /** Its spelling was known, and the header was not parsed. */
  readonly isKnown: boolean
}

/**
 * Reads JOSE headers, for one set of keys.
 *
 * A header whose encoded text is known is not decoded. The canonical headers of all keys are known
 * from the start. Other spellings (such as PyJWT's order of members) are learned once a signature
 * over them has verified, so a caller without a key can teach nothing.
 */
export class Headers<K extends { readonly kid: string; readonly alg: Key['alg'] }> {
  readonly #known = new Map<string, AcceptedHeader<K>>()
  readonly #keys = new Map<string, K>()
  readonly #algorithms: ReadonlySet<unknown>
  readonly #soleKey: K | undefined
  readonly #types: ReadonlySet<string | null>
  readonly #decode: DecodeSegment
  #learned = 0

  /**
   * @param types accepted types, normalised; null accepts a header without one
   * @param soleKey the key of a verifier that has only one and ignores `kid`
   */
  constructor(
    keys: readonly K[],
    soleKey: K | undefined,
    types: ReadonlySet<string | null>,
    decode: DecodeSegment,
  ) {
    this.#types = types
    this.#soleKey = soleKey
    this.#decode = decode
    this.#algorithms = new Set(keys.map(({ alg }) => alg))
    for (const key of keys) {
      this.#keys.set(key.kid, key)
      for (const type of types) {
        this.#known.set(encodeHeader(key, soleKey, type), accept(key, type, true))
      }
    }
  }

  /** @returns the header if its spelling is known */
  find(encoded: string): AcceptedHeader<K> | undefined {
    return this.#known.get(encoded)
  }

  /**
   * Parses a header: exactly `alg`, `typ` and `kid`, each a string (RFC 7515 section 4.1). `crit`,
   * `jwk`, `jku`, `x5u`, `b64`, `zip` and all others are refused.
   */
  parse(encoded: string): AcceptedHeader<K> | Refused {
    const decoded = this.#decode(encoded)
    const header = decoded && parseJson(decoded.text)
    if (!isObject(header)) return MALFORMED
    const { alg, typ, kid, ...others } = header
    if (!this.#algorithms.has(alg)) return ALGORITHM
    for (const _name in others) return MALFORMED
    if (typ !== undefined && typeof typ !== 'string') return MALFORMED
    if (kid !== undefined && typeof kid !== 'string') return MALFORMED
    const type = typ === undefined ? null : normaliseType(typ)
    if (!this.#types.has(type)) return TYPE
    const key = this.#soleKey ?? this.#keys.get(kid ?? '')
    if (key === undefined) return UNKNOWN_KEY
    // RFC 8725 section 3.1: the key has one algorithm; the token does not choose it.
    return key.alg === alg ? accept(key, type, false) : ALGORITHM
  }

  /** Learns a parsed header. Call it only after the signature over the header has verified. */
  learn(encoded: string, header: AcceptedHeader<K>): void {
    if (header.isKnown || this.#learned >= MAX_LEARNED) return
    this.#learned++
    this.#known.set(encoded, { ...header, isKnown: true })
  }
}

function accept<K>(key: K, type: string | null, isKnown: boolean): AcceptedHeader<K> {
  return { ok: true, key, isAccessToken: type === 'at+jwt', isKnown }
}

function encodeHeader(
  { alg, kid }: Pick<Key, 'alg' | 'kid'>,
  soleKey: unknown,
  type: string | null,
): string {
  return encodeJson({
    alg,
    ...(type !== null && { typ: type === 'jwt' ? 'JWT' : type }),
    ...(soleKey === undefined && { kid }),
  })
}
