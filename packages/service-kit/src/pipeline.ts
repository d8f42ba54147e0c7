import type { Pool, PoolClient, QueryConfig } from 'pg'

/**
 * Longest wait for a lock, in milliseconds, since the statements behind wait too. A transaction
 * that holds one for longer waits for a standby, or is a migration.
 */
export const pipelineLockTimeoutMs = 20

/**
 * Statements on their way at most. With more, the server takes long for each, for example to read
 * from a disk, and several connections are faster.
 */
const maxRunning = 32

const lockTimeout = '55P03'

/**
 * Errors of a statement that had no effect, so that another connection may run it: it waited for a
 * lock, or its prepared statement does not exist (26000) or exists already (42P05). If the first use
 * of a statement waits for a lock while it is parsed, those sent behind it are not prepared either.
 */
const withoutEffect = new Set([lockTimeout, '26000', '42P05'])

/** A connection while it has statements on their way. */
interface Shared {
  readonly client: Promise<PoolClient>
  running: number
  failure?: Error
}

/**
 * Sends statements over one connection without waiting for the answers to those before (PostgreSQL,
 * section 32.5, pipeline mode). Each is a transaction of its own. Many short statements then take
 * fewer writes to sockets, and fewer switches between this process and the server's.
 *
 * A statement delays those behind it, so it must neither be slow nor wait for a standby. One that
 * waits for a lock is cancelled, without effect, and runs again on a connection of its own.
 *
 * @param single a pool with one connection, of `pg`'s pipeline mode and with the lock time-out
 * @param db runs what does not fit
 */
export function createPipeline(single: Pool, db: Pool): Pick<Pool, 'query'> {
  let current: Shared | undefined

  async function query(statement: QueryConfig) {
    current ??= { client: single.connect(), running: 0 }
    const shared = current
    if (shared.running >= maxRunning) return db.query(statement)
    shared.running += 1
    try {
      const client = await shared.client
      return await client.query(statement)
    } catch (err) {
      const { code = '' } = err as { code?: string }
      if (code !== lockTimeout) {
        // The statements on their way may still succeed; the next one opens another connection.
        shared.failure ??= err as Error
        leave(shared)
      }
      if (withoutEffect.has(code)) return db.query(statement)
      throw err
    } finally {
      shared.running -= 1
      if (shared.running === 0) release(shared)
    }
  }

  function leave(shared: Shared): void {
    if (current === shared) current = undefined
  }

  function release(shared: Shared): void {
    leave(shared)
    shared.client.then(
      (client) => client.release(shared.failure),
      () => {},
    )
  }

  return { query: query as Pool['query'] }
}
