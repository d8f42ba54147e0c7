import type { RsaKey } from './rsa-key.ts'

/**
 * A shared secret: a service that verifies with it can also sign with it. `secret` is not enumerable: logging or
 * serialising a key leaves it out.
 * @example
 * ```ts
 * import type { HmacKey } from '@latchkey/verify'
 * const describe = ({ kid, secret }: HmacKey) => `${kid}, ${secret.length * 8} bits`
 * ```
 */
export interface HmacKey {
  /** Key ID (RFC 7515 section 4.1.4). */
  readonly kid: string
  readonly alg: 'HS256'
  /** At least 32 bytes. */
  readonly secret: Uint8Array
}

/**
 * A key pair on the curve P-256, or only its public part: then it verifies and cannot sign.
 * @example
 * ```ts
 * import type { EcKey } from '@latchkey/verify'
 * const toJwk = ({ kid, alg, x, y }: EcKey) => ({ kty: 'EC', crv: 'P-256', kid, alg, x, y })
 * ```
 */
export interface EcKey {
  /** Key ID (RFC 7515 section 4.1.4). */
  readonly kid: string
  readonly alg: 'ES256'
  /** Coordinates of the public point: base64url of 32 bytes each (RFC 7518 section 6.2.1). */
  readonly x: string
  readonly y: string
  /** The private key, in the auth service alone: base64url of 32 bytes. Not enumerable. */
  readonly d?: string | undefined
}

/**
 * A key for access tokens. It is for one algorithm, whatever a token says.
 * @example
 * ```ts
 * import type { Key } from '@latchkey/verify'
 * const canForge = (key: Key) => key.alg === 'HS256'
 * ```
 */
export type Key = HmacKey | EcKey

/**
 * The key with which a service authenticates to auth. It is derived from a root key of auth and the
 * service's name; its `kid` is both, separated by a slash.
 * @example
 * ```ts
 * import type { ServiceKey } from '@latchkey/verify'
 * const describe = ({ kid, service }: ServiceKey) => `${kid} speaks as ${service}`
 * ```
 */
export interface ServiceKey extends HmacKey {
  /** The name of the service. */
  readonly service: string
}

/**
 * All keys at one moment. Immutable: a change of keys creates a new object. See `parseKeySet`.
 * @example
 * ```ts
 * import type { KeySet } from '@latchkey/verify'
 * const listIds = ({ keys }: KeySet) => keys.map(({ kid }) => kid)
 * ```
 */
export interface KeySet {
  /** The first key: the auth service signs new tokens with it. */
  readonly signing: Key
  /** Every key that a token may be signed with, including the signing key. */
  readonly keys: readonly Key[]
  /** The key with which this service authenticates to auth; never one of `keys`. */
  readonly service?: ServiceKey | undefined
  /**
   * All keys of this service, one per root key of auth: the first is `service`. What was encrypted
   * under another one can be opened while the root key is replaced.
   */
  readonly serviceKeys: readonly ServiceKey[]
  /** The key that refresh tokens are derived from. In auth's file alone. */
  readonly refresh?: HmacKey | undefined
  /** The keys that service keys are derived from, the newest first. In auth's file alone. */
  readonly roots: readonly HmacKey[]
  /** The keys of ID tokens: the first signs, all are published. In auth's file alone. */
  readonly idTokenKeys: readonly RsaKey[]
}

/**
 * The keys in use. `current` is replaced when they change. See `openKeyring`.
 * @example
 * ```ts
 * import type { Keyring } from '@latchkey/verify'
 * const watch = (ring: Keyring) => ring.subscribe(({ signing }) => console.log(signing.kid))
 * ```
 */
export interface Keyring {
  readonly current: KeySet
  /** Calls `listener` with every new set, until the returned function is called. */
  subscribe(listener: (set: KeySet) => void): () => void
  /** Stops following changes. The keys stay usable. */
  close(): void
}

/**
 * The rule that refused the keys.
 * @example
 * ```ts
 * import type { KeyringErrorCode } from '@latchkey/verify'
 * const hints: { [code in KeyringErrorCode]?: string } = { keyring_unreadable: 'Check the mount' }
 * ```
 */
export type KeyringErrorCode =
  | 'keyring_unreadable'
  | 'keyring_malformed'
  | 'keyring_empty'
  | 'keyring_duplicate_kid'
  | 'keyring_weak_secret'
  | 'keyring_other_service'

/**
 * Keys were refused. The message names the key ID and the rule, never a secret.
 * @example
 * ```ts
 * import { KeyringError, openKeyring } from '@latchkey/verify'
 * try {
 *   openKeyring('keys.json')
 * } catch (err) {
 *   if (err instanceof KeyringError) console.error(err.code, err.message)
 * }
 * ```
 */
export class KeyringError extends Error {
  readonly code: KeyringErrorCode

  constructor(code: KeyringErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
Object.defineProperty(KeyringError.prototype, 'name', { value: 'KeyringError' })

/** Creates a key from a copy of `secret`. */
export function createKey(kid: string, secret: Uint8Array): HmacKey {
  const key = { kid, alg: 'HS256' as const }
  Object.defineProperty(key, 'secret', { value: Uint8Array.from(secret) })
  return Object.freeze(key) as HmacKey
}

/** The keys of a set that are not for access tokens. */
type OtherKeys = Partial<Pick<KeySet, 'serviceKeys' | 'refresh' | 'roots' | 'idTokenKeys'>>

/** Creates a set whose first key signs. Throws if the set is empty, or two keys share an ID. */
export function createKeySet(keys: readonly Key[], others: OtherKeys = {}): KeySet {
  const [signing] = keys
  if (signing === undefined) throw new KeyringError('keyring_empty', 'no key for access tokens')
  const { serviceKeys = [], refresh, roots = [], idTokenKeys = [] } = others
  const kids = new Set<string>()
  for (const key of [...keys, ...serviceKeys, refresh, ...roots, ...idTokenKeys]) {
    if (key === undefined) continue
    const message = `two keys have the kid ${JSON.stringify(key.kid)}`
    if (kids.has(key.kid)) throw new KeyringError('keyring_duplicate_kid', message)
    kids.add(key.kid)
  }
  return Object.freeze({
    signing,
    keys: Object.freeze([...keys]),
    service: serviceKeys[0],
    serviceKeys: Object.freeze([...serviceKeys]),
    refresh,
    roots: Object.freeze([...roots]),
    idTokenKeys: Object.freeze([...idTokenKeys]),
  })
}
