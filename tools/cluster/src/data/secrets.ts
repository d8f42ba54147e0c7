import { randomBytes, randomInt } from 'node:crypto'
import { ClusterError } from '../errors/cluster-error.ts'
import { readIfThere, writePrivate } from './data-folder.ts'

/** What is generated once for a data folder; there is no default secret. */
export interface Secrets {
  /** Password of Postgres's superuser. */
  readonly postgres: string
  /** Passwords of the database roles, by service. */
  readonly auth: string
  readonly orders: string
  readonly billing: string
  /** Password of the demo user. */
  readonly demo: string
}

/** Reads the secrets of a data folder, or makes them, in a file of mode 0600. */
export async function loadSecrets(file: string): Promise<Secrets> {
  const text = await readIfThere(file)
  if (text !== undefined) return parse(text, file)
  const secrets: Secrets = {
    postgres: randomBytes(24).toString('base64url'),
    auth: randomBytes(24).toString('base64url'),
    orders: randomBytes(24).toString('base64url'),
    billing: randomBytes(24).toString('base64url'),
    demo: readablePassword(),
  }
  await writePrivate(file, `${JSON.stringify(secrets, null, 2)}\n`)
  return secrets
}

function parse(text: string, file: string): Secrets {
  try {
    return JSON.parse(text)
  } catch {
    throw new ClusterError(
      `${file} is damaged; restore it, or remove the whole folder to start afresh.`,
    )
  }
}

/** Sixteen letters and digits that are hard to confuse, as `xkcd-9mfp-…`: 80 bits. */
function readablePassword(): string {
  const alphabet = 'abcdefghjkmnpqrstvwxyz0123456789'
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join('')
  return [group(), group(), group(), group()].join('-')
}
