import { checkNames } from '../options/check-names.ts'
import { createEcKey } from './ec-key.ts'
import {
  createKey,
  createKeySet,
  type EcKey,
  type Key,
  type Keyring,
  type KeySet,
} from './keyring.ts'
import { checkSecretStrength } from './secret-strength.ts'

/**
 * A key passed by the application. See `createVerifier`.
 * @example
 * ```ts
 * import type { StaticKey } from '@latchkey/verify'
 * const toKey = (secret: Uint8Array): StaticKey => ({ kid: '2026-11-23', secret })
 * ```
 */
export interface StaticKey {
  /** Key ID (RFC 7515 section 4.1.4). */
  kid: string
  /** At least 32 random bytes. */
  secret: Uint8Array
}

/**
 * Keys that need no file: a keyring (or any object with a `current` set of keys), keys with their
 * IDs (secrets or public keys), or one secret, whose tokens need no `kid`.
 *
 * @example
 * ```ts
 * import { type KeysOption, parseKeySet } from '@latchkey/verify'
 * const readKeys = (jwkSet: string): KeysOption => ({ current: parseKeySet(jwkSet) })
 * ```
 */
export type KeysOption = Pick<Keyring, 'current'> | readonly (StaticKey | EcKey)[] | Uint8Array

/** Where a verifier finds its keys. */
export interface KeySource {
  /** `current` is undefined until the first keys of a server have arrived. */
  readonly ring: { readonly current: KeySet | undefined }
  /** Called for a token whose key is unknown. */
  readonly onUnknownKey?: () => void
  /** One key without an ID: `kid` headers are ignored. */
  readonly isSole: boolean
}

/**
 * Creates a key source from the `keys` option.
 *
 * @throws TypeError when it is anything else, in particular a string
 * @throws KeyringError when a secret is weak, there is no key, or two keys share an ID
 */
export function readStaticKeys(keys: KeysOption): KeySource {
  if (isKeyring(keys)) return { ring: keys, isSole: false }
  const isSole = keys instanceof Uint8Array
  const given: unknown = isSole ? [{ kid: '', secret: keys }] : keys
  if (!Array.isArray(given)) {
    throw new TypeError(
      typeof given === 'string'
        ? 'keys must not be a string: pass the bytes, for example Buffer.from(text, "base64url")'
        : 'keys must be a keyring, { file }, { jwks }, an array of { kid, secret } or { kid, alg, x, y }, or a Uint8Array',
    )
  }
  return { ring: { current: createKeySet(given.map((key) => readKey(key, isSole))) }, isSole }
}

type GivenKey = Partial<StaticKey> & Partial<Pick<EcKey, 'x' | 'y' | 'd'>> & { alg?: Key['alg'] }

function readKey(key: GivenKey | null, isSole: boolean): Key {
  if (key?.alg === 'ES256') return readEcKey(key)
  const { kid, secret, alg = 'HS256' } = key ?? {}
  if (key) checkNames(key, 'member of a key', ['kid', 'secret', 'alg'])
  if (alg !== 'HS256') throw new TypeError('alg of a key must be HS256 or ES256')
  if (kid === undefined || !(isSole || isKeyId(kid)) || !(secret instanceof Uint8Array)) {
    throw new TypeError('each key must be { kid, secret }: a non-empty string and a Uint8Array')
  }
  checkSecretStrength(secret, isSole ? 'the key' : `key ${JSON.stringify(kid)}`)
  return createKey(kid, secret)
}

function readEcKey(given: GivenKey): Key {
  const { kid, x, y } = given
  checkNames(given, 'member of a key', ['kid', 'alg', 'x', 'y'])
  if (!isKeyId(kid)) throw new TypeError('kid of a key must be a non-empty string')
  const key = createEcKey(kid, { crv: 'P-256', x, y })
  if (typeof key === 'string') throw new TypeError(`key ${JSON.stringify(kid)}: ${key}`)
  return key
}

const isKeyId = (kid: unknown): kid is string =>
  typeof kid === 'string' && kid.isWellFormed() && kid !== ''

function isKeyring(keys: unknown): keys is Pick<Keyring, 'current'> {
  const set: Partial<KeySet> | undefined = (keys as Partial<Keyring> | undefined)?.current
  return Array.isArray(set?.keys)
}
