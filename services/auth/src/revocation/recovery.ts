import { type DurableWrites, inTransaction } from '@latchkey/service-kit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { repeatWhileOpen } from '../repeat.ts'
import { type RevocationList, RevocationMemory } from './memory.ts'
import { type Recovery, recordRecovery, restoreRevocations } from './recovery-store.ts'
import { type Cursor, listRevocations } from './store.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Resolves when this instance has read every revocation that was committed before the call, so
     * that it can restore them if the database loses them.
     *
     * @throws the database's error
     */
    rememberRevocations(): Promise<void>
    /** Runs a change that revokes, durably, and remembers what it has revoked. */
    revoking: DurableWrites
  }
}

/** Pause between two polls of the database, in milliseconds, and after one that failed. */
const pauseMs = { ok: 1_000, failed: 200 }
/** Revocations restored in one transaction: few enough for the time limit of a statement. */
const batchSize = 500

/**
 * Restores the revocations that the database has lost, in a failover to a standby that lagged or by
 * a restore from a backup. Every instance follows the feed and remembers it; if the row of its
 * cursor is missing, it writes what the database lacks. An acknowledged logout is lost only with
 * all instances that knew it.
 */
export const recovery = fp(
  async (app) => {
    const memory = new RevocationMemory()
    let cursor: Cursor | undefined
    const follow = async () => {
      const { reread, next, now } = await readPages(app, memory, cursor)
      const lost = reread && memory.minus(reread)
      const isRestoring = lost !== undefined && lost.sessions.length + lost.subjects.length > 0
      if (isRestoring) await restore(app, lost)
      else if (lost) app.log.info('the history of the database has changed; no revocation is lost')
      // What is restored is behind the next cursor. So the cursor stays until another reading finds
      // everything: a failure meanwhile, or a second failover, is noticed by the same missing row.
      if (!isRestoring) cursor = next
      // Last: a session whose logout has expired during an outage can still be refreshed.
      memory.forget(now)
    }
    // A poll that began before a commit may miss it, so a caller waits for the next one.
    let running: Promise<void> = Promise.resolve()
    let queued: Promise<void> | undefined
    const start = () => {
      running = queued ?? running
      queued = undefined
      return follow()
    }
    const poll = () => {
      queued ??= running.then(start, start)
      return queued
    }
    app.decorate('rememberRevocations', poll)
    app.decorate('revoking', async (change) => {
      const result = await app.durably(change)
      await poll()
      return result
    })
    repeatWhileOpen(app, () =>
      poll().then(
        () => pauseMs.ok,
        (err) => {
          app.log.debug({ err }, 'the revocations could not be read; retrying')
          return pauseMs.failed
        },
      ),
    )
  },
  { name: 'recovery', fastify: '5.x', dependencies: ['database', 'auth-metrics'] },
)

/**
 * Adds every revocation after the cursor to the memory.
 *
 * @returns the next cursor and the database's time; and, if the row of the cursor was missing, all
 *   that the database has
 */
async function readPages(
  { db }: FastifyInstance,
  memory: RevocationMemory,
  after: Cursor | undefined,
): Promise<{ next: Cursor; reread: RevocationMemory | undefined; now: number }> {
  let next = after
  let reread: RevocationMemory | undefined
  for (;;) {
    const page = await listRevocations(db, next)
    if (next !== undefined && !page.isContinued && next.tag !== '0') reread = new RevocationMemory()
    memory.add(page)
    reread?.add(page)
    const [seq = '', tag = ''] = page.cursor.split('.')
    next = { seq, tag }
    if (!page.more) return { next, reread, now: page.now }
  }
}

/** Restores in batches; logs and records what was lost. */
async function restore(
  { db, log, config, counters }: FastifyInstance,
  { sessions, subjects }: RevocationList,
): Promise<void> {
  const total: Recovery = { sessions: 0, missingSessions: 0, userIds: [] }
  let id: string | undefined
  const batches = Math.ceil(Math.max(sessions.length, subjects.length) / batchSize)
  for (let i = 0; i < batches; i += 1) {
    const range = [i * batchSize, (i + 1) * batchSize] as const
    const lost = { sessions: sessions.slice(...range), subjects: subjects.slice(...range) }
    const part = await inTransaction(db, async (transaction) => {
      const restored = await restoreRevocations(transaction, lost)
      if (countOf(restored) > 0) {
        const row = { id, instance: config.LATCHKEY_INSTANCE }
        id = await recordRecovery(transaction, restored, row)
      }
      return restored
    })
    counters.restored.inc(countOf(part))
    total.sessions += part.sessions
    total.missingSessions += part.missingSessions
    total.userIds.push(...part.userIds)
  }
  if (id === undefined) return
  log.error(
    { ...total, userIds: total.userIds.slice(0, 100) },
    'the database had lost revocations, which are restored; run `latchkey recover` and check the password, roles and ban of these users',
  )
}

const countOf = ({ sessions, missingSessions, userIds }: Recovery): number =>
  sessions + missingSessions + userIds.length
