import { rmSync } from 'node:fs'
import { chmod, mkdir, mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { ClusterError } from '../errors/cluster-error.ts'
import type { KeyFiles } from '../options.ts'
import { repository } from '../processes/node.ts'
import { lockFolder } from './lock.ts'

/** The folder with everything a cluster stores. One cluster uses it at a time. */
export interface DataFolder extends KeyFiles {
  readonly path: string
  readonly secretsFile: string
  readonly postgres: string
  /** The folder of the mail that was caught. */
  readonly mail: string
  /** The log file of a process, by the process's name. */
  logFile(name: string): string
  /** Releases the lock; removes an ephemeral folder. */
  close(): void
}

/**
 * Opens and locks the data folder.
 *
 * @throws ClusterError if it is in use or cannot be written
 */
export async function openDataFolder(options: {
  readonly ephemeral: boolean
  readonly path: string | undefined
}): Promise<DataFolder> {
  const path = options.ephemeral
    ? await mkdtemp(join(tmpdir(), 'latchkey-'))
    : resolve(options.path ?? join(repository, '.latchkey'))
  try {
    const logs = join(path, 'logs')
    await mkdir(logs, { recursive: true })
    // As root, Postgres runs as another user and must pass through. Every file in here is 0600.
    await chmod(path, process.getuid?.() === 0 ? 0o711 : 0o700)
    await chmod(logs, 0o700)
    const releaseLock = lockFolder(path)
    return {
      path,
      keysFile: join(path, 'keys.json'),
      serviceKeys: join(path, 'service-keys'),
      secretsFile: join(path, 'secrets.json'),
      postgres: join(path, 'postgres'),
      mail: join(path, 'mail'),
      logFile: (name) => join(logs, `${name}.log`),
      close() {
        releaseLock()
        if (options.ephemeral) rmSync(path, { recursive: true, force: true, maxRetries: 3 })
      },
    }
  } catch (err) {
    throw explain(err, path)
  }
}

const denied =
  'cannot be written by this user; start as its owner, or choose another folder with --data-folder'
const full = 'cannot be written: the disk is full or read-only'
const notFolder = 'is not a folder'
const reasons: Readonly<Record<string, string>> = {
  ...{ EACCES: denied, EPERM: denied },
  ...{ EROFS: full, ENOSPC: full, EDQUOT: full },
  ...{ ENOTDIR: notFolder, EEXIST: notFolder },
}

function explain(err: unknown, path: string): unknown {
  const reason = reasons[(err as NodeJS.ErrnoException).code ?? '']
  return reason ? new ClusterError(`The data folder ${shortenPath(path)} ${reason}.`) : err
}

/** A path, relative to the working directory if it is below it. */
export function shortenPath(path: string): string {
  const fromHere = relative(process.cwd(), path)
  return fromHere === '' || fromHere.startsWith('..') ? path : fromHere
}
