import { setTimeout as sleep } from 'node:timers/promises'
import { ProblemError } from '@latchkey/service-kit'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { repeatWhileOpen } from '../repeat.ts'
import { RevocationMemory } from './memory.ts'
import { Outage } from './outage.ts'
import { restore } from './restore.ts'
import { type Cursor, listRevocations, parseCursor } from './store.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Resolves when this instance has read every revocation that was committed before the call, so
     * that it can restore them if the database loses them.
     *
     * @throws the database's error, or ProblemError 503
     */
    rememberRevocations(): Promise<void>
    /**
     * Runs a change that revokes, durably, and remembers what it has revoked.
     *
     * @param idsOf the sessions that the change has ended: if the database has lost them already,
     *   the change is not acknowledged
     * @throws ProblemError 503; the caller has to repeat its request
     */
    revoking<T>(change: () => Promise<T>, idsOf: (result: T) => readonly string[]): Promise<T>
    /** How long an outage of the database lasts, or lasted that has ended recently, in seconds. */
    recentOutageSeconds(withinSeconds: number): number
  }
}

/** Pause between two polls of the database, in milliseconds, and after one that failed. */
const pauseMs = { ok: 1_000, failed: 200 }
/** Longest wait of a request until this instance remembers, in milliseconds: it may be restoring. */
const rememberTimeoutMs = 5_000

/**
 * Restores the revocations that the database has lost, in a failover to a standby that lagged or by
 * a restore from a backup. Every instance follows the feed and remembers it; if the row of its
 * cursor is missing, it writes what the database lacks. An acknowledged logout is lost only with
 * all instances that knew it.
 */
export const recovery = fp(
  async (app) => {
    const memory = new RevocationMemory()
    const outage = new Outage()
    const follow = createFollower(app, memory)
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
    const remember = () => Promise.race([poll(), giveUp()])
    app.decorate('rememberRevocations', remember)
    app.decorate('revoking', async (change, idsOf) => {
      const result = await app.durably(change)
      await remember()
      if (!idsOf(result).every((id) => memory.has(id))) throw notRemembered()
      return result
    })
    app.decorate('recentOutageSeconds', (within) => outage.recentSeconds(within))
    repeatWhileOpen(app, () =>
      poll().then(
        () => {
          if (!outage.isOver) app.log.info('the revocations can be read again')
          outage.succeeded()
          return pauseMs.ok
        },
        (err) => {
          if (outage.isOver) app.log.warn({ err }, 'the revocations cannot be read; retrying')
          outage.failed()
          return pauseMs.failed
        },
      ),
    )
  },
  { name: 'recovery', fastify: '5.x', dependencies: ['database', 'auth-metrics'] },
)

const notRemembered = () =>
  new ProblemError(
    503,
    'database_unavailable',
    'The database failed over during this request. Repeat the request.',
    { 'retry-after': '1' },
  )

async function giveUp(): Promise<never> {
  await sleep(rememberTimeoutMs, undefined, { ref: false })
  throw notRemembered()
}

/** @returns a function that reads what is new, and restores what the database has lost */
function createFollower(app: FastifyInstance, memory: RevocationMemory): () => Promise<void> {
  let cursor: Cursor | undefined
  return async () => {
    const { reread, next, now } = await readPages(app, memory, cursor)
    const lost = reread && memory.minus(reread)
    const isRestoring = lost !== undefined && lost.sessions.length + lost.subjects.length > 0
    if (isRestoring) await restore(app, lost)
    else if (lost) app.log.info('the history of the database has changed; no revocation is lost')
    // What is restored is behind the next cursor. So the cursor stays until another reading finds
    // everything: a failure meanwhile, or a second failover, is noticed by the same missing row.
    if (!isRestoring) cursor = next
    // Last: a session whose logout has expired during an outage can still be refreshed.
    memory.forget(now, { isDue: lost !== undefined })
  }
}

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
): Promise<{ next: Cursor | undefined; reread: RevocationMemory | undefined; now: number }> {
  let next = after
  let reread: RevocationMemory | undefined
  for (;;) {
    const page = await listRevocations(db, next)
    if (next !== undefined && !page.isContinued) reread = new RevocationMemory()
    memory.add(page)
    reread?.add(page)
    next = parseCursor(page.cursor)
    if (!page.more) return { next, reread, now: page.now }
  }
}
