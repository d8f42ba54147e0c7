import { generateKeyPairSync, hkdfSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HasTeardown } from './database.ts'

/** A key file, with its signing key for tests that sign tokens themselves. */
export interface KeyFile {
  readonly file: string
  readonly kid: string
  readonly secret: Buffer
  /** Writes the key file of a service: the key for access tokens, and the service's own. */
  exportFor(service: string): string
}

/**
 * Writes a key file of auth for `LATCHKEY_KEYS_FILE`: a JWK Set (RFC 7517) with random keys for
 * access tokens, refresh tokens, services and ID tokens, readable only by its owner. The test's
 * teardown removes it.
 */
export function writeKeyFile(t: HasTeardown): KeyFile {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-keys-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const kid = `test-${randomBytes(4).toString('hex')}`
  const [secret, root] = [randomBytes(32), randomBytes(32)]
  const write = (name: string, keys: object[]): string => {
    const file = join(folder, name)
    writeFileSync(file, JSON.stringify({ keys }), { mode: 0o600 })
    return file
  }
  const tokenKey = toJwk(kid, secret)
  return {
    file: write('keys.json', [
      tokenKey,
      toJwk(`${kid}-refresh`, randomBytes(32), 'latchkey:refresh'),
      toJwk(`${kid}-root`, root, 'latchkey:root'),
      createIdTokenJwk(`${kid}-id-token`),
    ]),
    kid,
    secret,
    exportFor(service) {
      const own = hkdfSync('sha256', root, '', `latchkey service key v1/${service}`, 32)
      const ownKey = toJwk(`${kid}-root/${service}`, Buffer.from(own), 'latchkey:service')
      return write(`${service}.json`, [tokenKey, ownKey])
    },
  }
}

const toJwk = (kid: string, secret: Buffer, use?: string) => ({
  ...{ kty: 'oct', kid, alg: 'HS256', use },
  k: secret.toString('base64url'),
})

function createIdTokenJwk(kid: string) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'latchkey:id-token' }
}
