import { randomBytes } from 'node:crypto'
import type { Stats } from 'node:fs'
import { type FileHandle, open, readFile, realpath, rename, rm, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { parseKeySet } from '@latchkey/verify'

/** A key of the file: a symmetric JWK (RFC 7518 section 6.4). Other members are kept unchanged. */
export interface Jwk {
  kty: string
  kid: string
  alg?: string
  use?: string
  k?: string
}

/** The content of the key file: a JWK Set (RFC 7517 section 5). */
export interface JwkSet {
  keys: Jwk[]
}

/** The files that hold keys. */
export interface KeyFiles {
  /** The key file of the auth service. */
  readonly keys: string
  /** The key file of all other services: it holds the keys for access tokens alone. */
  readonly verifyingKeys?: string
}

const refreshUse = 'latchkey:refresh'

/** Whether a key is for access tokens. */
export const isTokenKey = ({ use }: Jwk): boolean => use === undefined || use === 'sig'

/** A key ID with the date it was made: `2026-11-24-3f9a1c`. */
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
 * Writes a new key file that only its owner can read.
 *
 * @throws Error when the file already exists
 */
export async function writeNewKeyFile(file: string, set: JwkSet): Promise<void> {
  const handle = await createFile(file, {
    messageIfExists: `${file} already exists; move it, or choose another file`,
  })
  await write(handle, set)
}

/**
 * Changes the key files so that a reader always sees either the whole old or the whole new content.
 * The new content is written to a draft, synced, and renamed over the file with the same owner and
 * mode. The draft is also the lock, created before the file is read: no concurrent change is lost.
 *
 * @throws Error when a file cannot be read or written, or the result would not be a valid keyring
 */
export async function changeKeyFiles<T>(files: KeyFiles, change: (set: JwkSet) => T): Promise<T> {
  const { keys, verifyingKeys } = files
  const target = await realpath(keys)
  if (verifyingKeys !== undefined && (await findTarget(verifyingKeys)) === target) {
    throw new Error('--verifying-keys must name another file than --keys')
  }
  return replaceFile(target, await stat(target), async () => {
    const set = await readKeyFile(target)
    const result = change(set)
    parseKeySet(JSON.stringify(set))
    // First, so that a new key verifies everywhere before auth can sign with it.
    if (verifyingKeys !== undefined)
      await writeVerifyingKeys(set, verifyingKeys, await stat(target))
    return { set, result }
  })
}

/** @param like whose owner and mode a new file gets */
async function writeVerifyingKeys({ keys }: JwkSet, file: string, like: Stats): Promise<void> {
  const target = await findTarget(file)
  const owner = await stat(target).catch(() => like)
  const set = { keys: keys.filter(isTokenKey) }
  await replaceFile(target, owner, async () => ({ set, result: undefined }))
}

/** The file behind symbolic links, or the path itself if there is no file yet. */
const findTarget = (file: string): Promise<string> => realpath(file).catch(() => resolve(file))

/** Replaces a file by the set that `make` returns. */
async function replaceFile<T>(
  target: string,
  { mode, uid, gid }: Stats,
  make: () => Promise<{ set: JwkSet; result: T }>,
): Promise<T> {
  const draft = `${target}.new`
  const handle = await createFile(draft, {
    messageIfExists: `${draft} exists: another change is in progress; if it has crashed, remove that file`,
  })
  try {
    const { set, result } = await make()
    if (process.getuid?.() === 0) await handle.chown(uid, gid)
    await handle.chmod(mode & 0o777) // after chown, which may clear bits, and whatever the umask
    await write(handle, set)
    await rename(draft, target)
    return result
  } catch (err) {
    await handle.close()
    await rm(draft, { force: true })
    throw err
  }
}

/**
 * Reads a key file with all its members.
 *
 * @throws KeyringError when it is not a valid keyring
 */
export async function readKeyFile(file: string): Promise<JwkSet> {
  const text = await readFile(file, 'utf8')
  parseKeySet(text)
  return JSON.parse(text)
}

async function createFile(
  file: string,
  { messageIfExists }: { messageIfExists: string },
): Promise<FileHandle> {
  try {
    return await open(file, 'wx', 0o600)
  } catch (err) {
    if ((err as NodeJS.ErrnoException).code === 'EEXIST') throw new Error(messageIfExists)
    throw err
  }
}

async function write(handle: FileHandle, set: JwkSet): Promise<void> {
  await handle.writeFile(`${JSON.stringify(set, null, 2)}\n`)
  await handle.sync()
  await handle.close()
}
