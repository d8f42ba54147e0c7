import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HasTeardown } from './database.ts'

/** A key file, with its signing key for tests that sign tokens themselves. */
export interface KeyFile {
  readonly file: string
  readonly kid: string
  readonly secret: Buffer
}

/**
 * Writes a key file for `LATCHKEY_KEYS_FILE`: a JWK Set (RFC 7517) with a random key for access
 * tokens and a random key for refresh tokens, readable only by its owner. The test's teardown
 * removes it.
 */
export function writeKeyFile(t: HasTeardown): KeyFile {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-keys-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'keys.json')
  const kid = `test-${randomBytes(4).toString('hex')}`
  const secret = randomBytes(32)
  const keys = [
    { kty: 'oct', kid, alg: 'HS256', k: secret.toString('base64url') },
    {
      kty: 'oct',
      kid: `${kid}-refresh`,
      alg: 'HS256',
      use: 'latchkey:refresh',
      k: randomBytes(32).toString('base64url'),
    },
  ]
  writeFileSync(file, JSON.stringify({ keys }), { mode: 0o600 })
  return { file, kid, secret }
}
