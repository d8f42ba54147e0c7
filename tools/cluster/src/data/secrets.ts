import { randomBytes, randomInt } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import writeFileAtomic from 'write-file-atomic'
import { ClusterError, hasCode } from '../errors/cluster-error.ts'
import { type ServiceName, serviceNames } from '../services/services.ts'

/** Passwords of the demo user, the superuser of Postgres, and each service's database role. */
export type Secrets = Readonly<Record<'demo' | 'postgres' | ServiceName, string>>

/** Reads the secrets of a data folder. Generates missing ones; the file has mode 0600. */
export async function loadSecrets(file: string): Promise<Secrets> {
  const stored = await readStored(file)
  const secrets = Object.fromEntries([
    ...['postgres', ...serviceNames].map((name) => [name, randomBytes(24).toString('base64url')]),
    ['demo', readablePassword()],
    ...Object.entries(stored),
  ])
  if (Object.keys(secrets).some((name) => !(name in stored))) {
    await writeFileAtomic(file, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600 })
  }
  return secrets as Secrets
}

async function readStored(file: string): Promise<Partial<Secrets>> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return {}
    if (!(err instanceof SyntaxError)) throw err
    throw new ClusterError(
      `${file} is not valid JSON; restore it, or delete the whole data folder to start from scratch.`,
    )
  }
}

/** Sixteen letters and digits that are hard to confuse, in four groups: 80 bits. */
function readablePassword(): string {
  const alphabet = 'abcdefghjkmnpqrstvwxyz0123456789'
  const group = () => Array.from({ length: 4 }, () => alphabet[randomInt(alphabet.length)]).join('')
  return Array.from({ length: 4 }, group).join('-')
}
