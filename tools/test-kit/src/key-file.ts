import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { HasTeardown } from './database.ts'

/** A key file, and the token-signing key in it for tests that sign by other means. */
export interface KeyFile {
  readonly file: string
  readonly kid: string
  readonly secret: Buffer
}

/**
 * Writes a key file as every service reads it from `LATCHKEY_KEYS_FILE`: a JWK Set (RFC 7517) with
 * one token key, which signs, and one key for refresh tokens, both random, readable by the owner
 * alone. Removed at the test's teardown.
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
