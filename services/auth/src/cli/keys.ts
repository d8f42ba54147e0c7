import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Command } from 'commander'

/** A member of the keyring file: a symmetric JWK (RFC 7517, RFC 7518 section 6.4). */
interface Jwk {
  kty: 'oct'
  kid: string
  alg: 'HS256'
  use?: 'latchkey:refresh'
  k: string
}

/** `latchkey keys …` */
export function addKeys(program: Command): void {
  const keys = program.command('keys').description('make and change the keyring file')
  keys
    .command('generate')
    .description('make a new keyring: one key for access tokens, one for refresh tokens')
    .requiredOption('-o, --out <file>', 'where to write it; an existing file is not overwritten')
    .action(async ({ out }: { out: string }) => {
      const kid = await generateKeyring(out)
      process.stdout.write(
        `Wrote ${out} (readable by its owner alone); access tokens are signed with key ${kid}.\n` +
          `Start every service with LATCHKEY_KEYS_FILE=${out}\n`,
      )
    })
}

/** Writes a new keyring of random 256-bit keys with mode 0600, and returns the signing key's ID. */
async function generateKeyring(file: string): Promise<string> {
  const kid = `${new Date().toISOString().slice(0, 10)}-${randomBytes(3).toString('hex')}`
  const keys = [createKey(kid), { ...createKey(`${kid}-refresh`), use: 'latchkey:refresh' }]
  const handle = await open(file, 'wx', 0o600).catch((err: NodeJS.ErrnoException) => {
    if (err.code !== 'EEXIST') throw err
    throw new Error(`${file} exists; move it away first, or write to another file`)
  })
  try {
    await handle.writeFile(`${JSON.stringify({ keys }, null, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  return kid
}

const createKey = (kid: string): Jwk => ({
  kty: 'oct',
  kid,
  alg: 'HS256',
  k: randomBytes(32).toString('base64url'),
})
