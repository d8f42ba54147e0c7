import type { DecodeSegment } from '../encoding/base64url.ts'
import { encodeBase64url } from '../encoding/base64url.ts'
import { parseJson } from '../encoding/json.ts'
import { type Refused, refusal } from './error.ts'

const MALFORMED = refusal('token_malformed')
const ALGORITHM = refusal('token_algorithm')
const TYPE = refusal('token_type')
const UNKNOWN_KEY = refusal('token_unknown_key')

/** How many header spellings are learned in addition to the canonical ones. */
const MAX_LEARNED = 256

/** An accepted JOSE header: which key it names, and whether it says `at+jwt` (RFC 9068). */
export interface AcceptedHeader<K> {
  readonly ok: true
  readonly key: K
  readonly isAccessToken: boolean
  /** Its spelling was known, and the header was not parsed. */
  readonly isKnown: boolean
}

/** Normalises a `typ` (RFC 7515 section 4.1.9: a media type, "application/" may be left out). */
export function normaliseType(typ: string): string {
  return typ.toLowerCase().replace(/^application\/(?=[^/]*$)/, '')
}

/**
 * Reads JOSE headers, for one set of keys.
 *
 * A header whose encoded text is known needs no decoding. Known are the canonical headers of all keys, and
 * further spellings (another order of members, as PyJWT's) once a signature over them held: a stranger
 * can teach nothing.
 */
export class Headers<K extends { readonly kid: string }> {
  readonly #known = new Map<string, AcceptedHeader<K>>()
  readonly #keys = new Map<string, K>()
  readonly #soleKey: K | undefined
  readonly #types: ReadonlySet<string | null>
  readonly #decode: DecodeSegment
  #learned = 0

  /**
   * @param types accepted types, normalised; null accepts a header without one
   * @param soleKey the key of a verifier that has only one and pays no attention to `kid`
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
    for (const key of keys) {
      this.#keys.set(key.kid, key)
      for (const type of types)
        this.#known.set(encodeHeader(key, soleKey, type), accept(key, type, true))
    }
  }

  /** @returns the header if its spelling is known */
  find(encoded: string): AcceptedHeader<K> | undefined {
    return this.#known.get(encoded)
  }

  /**
   * Parses a header: exactly `alg`, `typ` and `kid`, each a string (RFC 7515 section 4.1). `crit`,
   * `jwk`, `jku`, `x5u`, `b64`, `zip` and whatever else are refused with the rest.
   */
  parse(encoded: string): AcceptedHeader<K> | Refused {
    const decoded = this.#decode(encoded)
    const header = decoded && parseJson(decoded.text)
    if (typeof header !== 'object' || header === null || Array.isArray(header)) return MALFORMED
    const { alg, typ, kid, ...others } = header as Record<string, unknown>
    if (alg !== 'HS256') return ALGORITHM
    for (const _name in others) return MALFORMED
    if (typ !== undefined && typeof typ !== 'string') return MALFORMED
    if (kid !== undefined && typeof kid !== 'string') return MALFORMED
    const type = typ === undefined ? null : normaliseType(typ)
    if (!this.#types.has(type)) return TYPE
    const key = this.#soleKey ?? this.#keys.get(kid ?? '')
    return key === undefined ? UNKNOWN_KEY : accept(key, type, false)
  }

  /** Remembers a header that was parsed. To be called only after the signature over it was found right. */
  learn(encoded: string, header: AcceptedHeader<K>): void {
    if (header.isKnown || this.#learned >= MAX_LEARNED) return
    this.#learned++
    this.#known.set(encoded, { ...header, isKnown: true })
  }
}

function accept<K>(key: K, type: string | null, isKnown: boolean): AcceptedHeader<K> {
  return { ok: true, key, isAccessToken: type === 'at+jwt', isKnown }
}

function encodeHeader(key: { kid: string }, soleKey: unknown, type: string | null): string {
  const header = {
    alg: 'HS256',
    ...(type !== null && { typ: type === 'jwt' ? 'JWT' : type }),
    ...(soleKey === undefined && { kid: key.kid }),
  }
  return encodeBase64url(new TextEncoder().encode(JSON.stringify(header)))
}
