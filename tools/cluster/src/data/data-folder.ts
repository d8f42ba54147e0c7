import { rmSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { ClusterError, hasCode } from '../errors/cluster-error.ts'
import { takeLock } from './lock.ts'

/** Where a cluster keeps everything; held by one cluster at a time. */
export interface DataFolder {
  readonly path: string
  readonly keysFile: string
  readonly secretsFile: string
  readonly postgres: string
  /** The log of a process, by its name. */
  logFile(name: string): string
  /** Whether the cluster before this one died without stopping. */
  readonly takenOver: boolean
  /** Gives the lock back; an ephemeral folder goes with all that is in it. */
  close(): Promise<void>
  /** The same at once, as far as it goes. */
  abandon(): void
}

const root = resolve(import.meta.dirname, '../../../..')

/**
 * Opens the data folder and takes its lock.
 *
 * @throws ClusterError when it is in use, or cannot be written
 */
export async function openDataFolder(options: {
  readonly ephemeral: boolean
  readonly path: string | undefined
}): Promise<DataFolder> {
  const path = options.ephemeral
    ? await mkdtemp(join(tmpdir(), 'latchkey-'))
    : resolve(options.path ?? join(root, '.latchkey'))
  try {
    await mkdir(join(path, 'logs'), { recursive: true })
    // Postgres, which never runs as root, must pass through; every file of ours is 0600.
    await chmod(path, process.getuid?.() === 0 ? 0o711 : 0o700)
    await chmod(join(path, 'logs'), 0o700)
    const lock = await takeLock(join(path, 'lock'))
    return {
      path,
      keysFile: join(path, 'keys.json'),
      secretsFile: join(path, 'secrets.json'),
      postgres: join(path, 'postgres'),
      logFile: (name) => join(path, 'logs', `${name}.log`),
      takenOver: lock.takenOver,
      async close() {
        if (options.ephemeral) await rm(path, { recursive: true, force: true })
        else await lock.release()
      },
      abandon() {
        const rest = options.ephemeral ? path : join(path, 'lock')
        rmSync(rest, { recursive: true, force: true, maxRetries: 3 })
      },
    }
  } catch (err) {
    throw explain(err, path)
  }
}

/** One sentence for what the file system refuses, else the error as it is. */
function explain(err: unknown, path: string): unknown {
  const shown = showPath(path)
  if (hasCode(err, 'EACCES', 'EPERM')) {
    return new ClusterError(
      `This user may not write to the data folder ${shown}; start as its owner, or give --data-folder another place.`,
    )
  }
  if (hasCode(err, 'EROFS', 'ENOSPC', 'EDQUOT')) {
    return new ClusterError(
      `The data folder ${shown} cannot be written: the disk is full or read-only.`,
    )
  }
  if (hasCode(err, 'ENOTDIR', 'EEXIST')) {
    return new ClusterError(`The data folder ${shown} is not a folder.`)
  }
  return err
}

/** A path as short as the working folder makes it. */
export function showPath(path: string): string {
  const fromHere = relative(process.cwd(), path)
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere
}

/** Writes a file for the owner's eyes, whole or not at all. */
export async function writePrivate(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}.draft`
  await writeFile(draft, text, { mode: 0o600 })
  await rename(draft, file)
}

/** The text of a file, or `undefined` where there is none. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return undefined
    throw err
  }
}
