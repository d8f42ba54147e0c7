import type { Stats } from 'node:fs'
import {
  chmod,
  chown,
  type FileHandle,
  mkdir,
  open,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
} from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { parseKeySet } from '@latchkey/verify'
import { createServiceSet, isServiceName, type JwkSet } from './jwk.ts'

/** The files that hold keys. */
export interface KeyFiles {
  /** The key file of the auth service. */
  readonly keys: string
  /** The folder with the key files of the services: `<folder>/<service>/keys.json`. */
  readonly serviceKeys?: string | undefined
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
 * @param services whose files are written, in addition to those that exist
 * @throws Error when a file cannot be read or written, or the result would not be a valid keyring
 */
export async function changeKeyFiles<T>(
  { keys, serviceKeys }: KeyFiles,
  change: (set: JwkSet) => T,
  services: readonly string[] = [],
): Promise<T> {
  const target = await realpath(keys)
  const like = await stat(target)
  return replaceFile(target, like, async () => {
    const set = await readKeyFile(target)
    refuseServiceSet(set, keys)
    const result = change(set)
    parseKeySet(JSON.stringify(set))
    if (serviceKeys !== undefined) {
      const names = new Set([...services, ...(await listServices(serviceKeys))])
      const sets = [...names].map((name) => [name, createServiceSet(set, name)] as const)
      // First, so that a new key verifies everywhere before auth can sign with it.
      for (const [name, serviceSet] of sets) {
        await writeServiceFile(serviceFile(serviceKeys, name), serviceSet, like)
      }
    }
    return { set, result }
  })
}

export const serviceFile = (folder: string, service: string): string =>
  join(folder, service, 'keys.json')

/**
 * The services that have a key file in the folder.
 *
 * @throws Error when it cannot be told: a service that is left out would keep its old keys
 */
export async function listServices(folder: string): Promise<string[]> {
  const names: string[] = []
  for (const name of (await readdir(folder).catch(ignoreMissing)) ?? []) {
    const found = await stat(serviceFile(folder, name)).catch(ignoreMissing)
    if (found?.isFile() && isServiceName(name)) names.push(name)
  }
  return names.sort()
}

function ignoreMissing(err: NodeJS.ErrnoException): undefined {
  if (err.code !== 'ENOENT' && err.code !== 'ENOTDIR') throw err
}

/** A change of a service's file would be lost with the next export. */
function refuseServiceSet({ keys }: JwkSet, file: string): void {
  const own = keys.find(({ use }) => use === 'latchkey:service')
  if (own !== undefined) {
    throw new Error(`${file} is the key file of a service (${own.kid}); pass that of auth`)
  }
}

/** @param like whose owner and mode a new file gets */
async function writeServiceFile(file: string, set: JwkSet, like: Stats): Promise<void> {
  parseKeySet(JSON.stringify(set))
  await makeFolder(dirname(resolve(file)), like)
  // The file behind symbolic links, or the path itself if there is no file yet.
  const target = await realpath(file).catch(() => resolve(file))
  const owner = await stat(target).catch(() => like)
  await replaceFile(target, owner, async () => ({ set, result: undefined }))
}

/** Makes a folder, and those above it, for all who may read a file in it. */
async function makeFolder(folder: string, { mode, uid, gid }: Stats): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let path = folder; path.length >= first.length; path = dirname(path)) {
    if (process.getuid?.() === 0) await chown(path, uid, gid)
    await chmod(path, mode & 0o040 ? 0o750 : 0o700)
  }
}

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
