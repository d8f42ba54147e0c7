import { createKey, createKeySet, type Keyring, type KeySet } from './keyring.ts'
import { checkSecretStrength } from './secret-strength.ts'

/** A key given by the application itself. */
export interface StaticKey {
  /** Key ID (RFC 7515 section 4.1.4). */
  kid: string
  /** At least 32 random bytes. */
  secret: Uint8Array
}

/**
 * Keys that need no file: a keyring (or whatever has a `current` set of keys), keys with their IDs, or one key,
 * whose tokens need no `kid`.
 */
export type KeysOption = Pick<Keyring, 'current'> | readonly StaticKey[] | Uint8Array

/** Where a verifier finds its keys. */
export interface KeySource {
  readonly ring: Pick<Keyring, 'current'>
  /** One key, given without an ID: `kid` headers are not looked at. */
  readonly isSole: boolean
}

/**
 * Makes a key source of the `keys` option.
 *
 * @throws TypeError when it is something else, a string above all
 * @throws KeyringError when a secret is weak, there is no key, or two share an ID
 */
export function readStaticKeys(keys: KeysOption): KeySource {
  if (typeof keys === 'string') {
    throw new TypeError(
      'keys must not be a string: text is not a key. Give the bytes, as Buffer.from(text, "base64url")',
    )
  }
  if (keys instanceof Uint8Array) {
    checkSecretStrength(keys, 'the key')
    return { ring: { current: createKeySet([createKey('', keys)]) }, isSole: true }
  }
  if (isStaticKeyArray(keys)) {
    for (const { kid, secret } of keys)
      checkSecretStrength(secret, `the key ${JSON.stringify(kid)}`)
    const set = createKeySet(keys.map(({ kid, secret }) => createKey(kid, secret)))
    return { ring: { current: set }, isSole: false }
  }
  if (isKeyring(keys)) return { ring: keys, isSole: false }
  throw new TypeError(
    'keys must be a keyring, { file }, an array of { kid, secret }, or a Uint8Array',
  )
}

function isStaticKeyArray(keys: unknown): keys is readonly StaticKey[] {
  if (!Array.isArray(keys)) return false
  for (const key of keys) {
    if (typeof key?.kid !== 'string' || key.kid === '' || !(key.secret instanceof Uint8Array)) {
      throw new TypeError(
        'each of keys must be { kid, secret }: a non-empty string and a Uint8Array',
      )
    }
  }
  return true
}

function isKeyring(keys: unknown): keys is Pick<Keyring, 'current'> {
  const set: Partial<KeySet> | undefined = (keys as Partial<Keyring> | undefined)?.current
  return Array.isArray(set?.keys)
}
