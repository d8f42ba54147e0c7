import { randomBytes } from 'node:crypto'
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { parseKeySet } from '@latchkey/verify'

/** A member of the keyring file: a symmetric JWK (RFC 7517, RFC 7518 section 6.4). Others are kept as they are. */
export interface Jwk {
  kty: string
  kid: string
  alg?: string
  use?: string
  k?: string
}

/** The keyring file's content: a JWK Set (RFC 7517 section 5). */
export interface JwkSet {
  keys: Jwk[]
}

const refreshUse = 'latchkey:refresh'

/** Whether a key is for access tokens. */
export const isTokenKey = ({ use }: Jwk): boolean => use === undefined || use === 'sig'

/** A key ID that says when the key was made: `2026-11-24-3f9a1c`. */
export const createKid = (): string =>
  `${new Date().toISOString().slice(0, 10)}-${randomBytes(3).toString('hex')}`

/** A random 256-bit key. */
export const createJwk = (kid: string): Jwk => ({
  kty: 'oct',
  kid,
  alg: 'HS256',
  k: randomBytes(32).toString('base64url'),
})

/** A new keyring: one key for access tokens, one for refresh tokens. */
export function createJwkSet(): JwkSet {
  const kid = createKid()
  return { keys: [createJwk(kid), { ...createJwk(`${kid}-refresh`), use: refreshUse }] }
}

/**
 * Writes a file that did not exist, for its owner alone.
 *
 * @throws Error when there is one already
 */
export async function writeNewFile(file: string, set: JwkSet): Promise<void> {
  const handle = await create(file, 0o600, `${file} exists; move it away first, or name another`)
  await write(handle, set)
}

/**
 * Changes a keyring file so that a reader sees the whole old or the whole new one, whatever happens: the new
 * one is written aside, synced, and renamed over the old one with its owner and mode. The file
 * aside is the lock too, taken before the old one is read: changes at once do not lose one another.
 *
 * @throws Error when the file cannot be read or written, or the result would be no keyring
 */
export async function changeFile<T>(file: string, change: (set: JwkSet) => T): Promise<T> {
  const target = await realpath(file)
  const aside = `${target}.new`
  const { mode, uid, gid } = await stat(target)
  const busy = `${aside} exists: another change is at work, or died; then remove that file`
  const handle = await create(aside, 0o600, busy)
  try {
    const set = await readFileAsSet(target)
    const result = change(set)
    parseKeySet(JSON.stringify(set))
    if (process.getuid?.() === 0) await handle.chown(uid, gid)
    await handle.chmod(mode & 0o777) // after the owner, and past the umask
    await write(handle, set)
    await rename(aside, target)
    return result
  } catch (err) {
    await handle.close()
    await rm(aside, { force: true })
    throw err
  }
}

/**
 * Reads a keyring file with all its members.
 *
 * @throws KeyringError when it is no keyring
 */
export async function readFileAsSet(file: string): Promise<JwkSet> {
  const text = await readFile(file, 'utf8')
  parseKeySet(text)
  return JSON.parse(text)
}

/** Creates a file that must not exist yet. @throws Error with the sentence given when it does */
async function create(file: string, mode: number, sentence: string): Promise<FileHandle> {
  try {
    return await open(file, 'wx', mode)
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'EEXIST') throw new Error(sentence)
    throw err
  }
}

async function write(handle: FileHandle, set: JwkSet): Promise<void> {
  await handle.writeFile(`${JSON.stringify(set, null, 2)}\n`)
  await handle.sync()
  await handle.close()
}
