import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { ClusterError } from '../errors/cluster-error.ts'

/**
 * Locks a folder for this process. The lock is SQLite's exclusive lock on an empty database file:
 * the operating system releases it when the process dies, however it dies, so no stale lock has to
 * be told from a live one. The file stays, because deleting it would allow a second lock on its
 * successor. `cluster.pid` only serves to name the process.
 *
 * @returns a function that releases the lock
 * @throws ClusterError if another process holds the lock
 */
export function lockFolder(folder: string): () => void {
  const pidFile = `${folder}/cluster.pid`
  const lock = new DatabaseSync(`${folder}/cluster.lock`)
  try {
    lock.exec('BEGIN EXCLUSIVE')
  } catch (err) {
    const { errcode } = err as { errcode?: number }
    if (errcode !== 5 /* SQLITE_BUSY */) throw err
    const holder = existsSync(pidFile) ? ` (process ${readFileSync(pidFile, 'utf8')})` : ''
    throw new ClusterError(
      `A cluster is already running on this data folder${holder}; stop it, or use --ephemeral to start a second one.`,
    )
  }
  writeFileSync(pidFile, String(process.pid), { mode: 0o600 })
  return () => {
    if (!lock.isOpen) return
    rmSync(pidFile, { force: true })
    lock.close()
  }
}
