import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { ClusterError } from '../errors/cluster-error.ts'

export interface Lock {
  /** Whether the previous holder died without releasing the lock. */
  readonly takenOver: boolean
  release(): void
}

/**
 * Locks a folder for this process. The lock is SQLite's exclusive lock on an empty database file: the
 * operating system releases it when the process dies, however it dies, so no stale lock has to be
 * told from a live one. The file stays, because deleting it would allow a second lock on its
 * successor. `cluster.pid` exists while a cluster runs, and after it was killed.
 *
 * @throws ClusterError if another process holds the lock
 */
export function lockFolder(folder: string): Lock {
  const pidFile = `${folder}/cluster.pid`
  const previousPid = read(pidFile)
  const lock = new DatabaseSync(`${folder}/cluster.lock`)
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (err) {
    const { errcode } = err as { errcode?: number }
    if (errcode !== 5 /* SQLITE_BUSY */) throw err
    throw new ClusterError(
      `A cluster is already running on this data folder (process ${previousPid ?? 'unknown'}); stop it, or use --ephemeral to start a second one.`,
    )
  }
  writeFileSync(pidFile, String(process.pid), { mode: 0o600 })
  return {
    takenOver: previousPid !== undefined,
    release() {
      if (!lock.isOpen) return
      rmSync(pidFile, { force: true })
      lock.close()
    },
  }
}

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}
