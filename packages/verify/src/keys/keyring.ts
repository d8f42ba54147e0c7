/**
 * A key of the keyring. `secret` is not enumerable: logging or serialising a key leaves it out.
 * @example
 * ```ts
 * import type { Key } from '@latchkey/verify'
 * const describe = ({ kid, secret }: Key) => `${kid}, ${secret.length * 8} bits`
 * ```
 */
export interface Key {
  /** Key ID (RFC 7515 section 4.1.4). */
  readonly kid: string
  readonly alg: 'HS256'
  /** At least 32 bytes. */
  readonly secret: Uint8Array
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
  /** The first key: new tokens are signed with it. */
  readonly signing: Key
  /** Every key that a token may be signed with, including the signing key. */
  readonly keys: readonly Key[]
  /** The key that refresh tokens are derived from; never one of `keys`. */
  readonly refresh: Key | undefined
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
export function createKey(kid: string, secret: Uint8Array): Key {
  const key = { kid, alg: 'HS256' as const }
  Object.defineProperty(key, 'secret', { value: Uint8Array.from(secret) })
  return Object.freeze(key) as Key
}

/** Creates a set whose first key signs. Throws if there is no key, or two keys share an ID. */
export function createKeySet(keys: readonly Key[], refresh?: Key): KeySet {
  const [signing] = keys
  if (signing === undefined) throw new KeyringError('keyring_empty', 'no key for access tokens')
  const kids = new Set<string>()
  for (const { kid } of refresh === undefined ? keys : [...keys, refresh]) {
    const message = `two keys have the kid ${JSON.stringify(kid)}`
    if (kids.has(kid)) throw new KeyringError('keyring_duplicate_kid', message)
    kids.add(kid)
  }
  return Object.freeze({ signing, keys: Object.freeze([...keys]), refresh })
}
