import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import type { Tokens } from '@latchkey/test-kit/client'
import { createRevocationFeed, openKeyring } from '@latchkey/verify'
import { type Context, type Finding, formatSeconds } from './drill.ts'
import {
  authDatabase,
  findAccepted,
  type LostWrites,
  mapParallel,
  refresh,
  sessionIds,
} from './lost-writes.ts'
import type { PostgresServer } from './postgres-server.ts'
import { claimsOf } from './traffic.ts'

/** From when the services reach the server. */
const restoredWithinMs = 2_000
/** After this, a write is lost. */
const lostAfterMs = 20_000

/** Checks that the services restore what the database has lost; called when they reach it. */
export async function judgeRestored(
  { cluster, progress }: Context,
  server: PostgresServer,
  { ended, refreshed, endedLater }: LostWrites,
): Promise<Finding[]> {
  progress(2, 4, 'waiting for what is lost')
  const [restored, refused, known] = await Promise.all([
    settle(ended, (sessions) => findOpen(server, cluster, sessions)),
    settle(ended, (sessions) => findAccepted(cluster, sessions)),
    settle(endedLater, (sessions) => findAccepted(cluster, sessions)),
  ])
  progress(3, 4, 'looking everything up')
  const both = [...ended, ...endedLater]
  return [
    within('the lost logouts are restored', restored.ms, restoredWithinMs),
    within('every verifier refuses their tokens', refused.ms, restoredWithinMs),
    within('every verifier knows the logouts that followed', known.ms, restoredWithinMs),
    none('the sessions of the lost logouts are ended again', restored.left, ended),
    await allAnswer('their refresh tokens are dead', cluster, ended, 401),
    // Asked again: a verifier that read the feed anew might have forgotten them.
    none('no verifier accepts their tokens', (await findAccepted(cluster, ended)).length, ended),
    none('no verifier accepts the tokens of later logouts', known.left, endedLater),
    none('a verifier that starts now knows all of them', await countUnknown(cluster, both), both),
    await allAnswer(
      'every client that refreshed can use its newest token',
      cluster,
      refreshed,
      200,
    ),
  ]
}

/**
 * Looks for what is left until there is nothing, or it takes too long.
 *
 * @returns `ms`: from the start to the look that found nothing, which itself may take a second
 */
async function settle<T>(
  items: readonly T[],
  findLeft: (items: readonly T[]) => Promise<readonly T[]>,
): Promise<{ left: number; ms: number }> {
  const startedAt = performance.now()
  let left = items
  for (;;) {
    const ms = performance.now() - startedAt
    left = await findLeft(left)
    if (left.length === 0 || ms > lostAfterMs) return { left: left.length, ms }
    await sleep(50)
  }
}

const within = (claim: string, ms: number, limitMs: number): Finding => ({
  claim: `${claim} within ${formatSeconds(limitMs)}`,
  seen: formatSeconds(ms),
  holds: ms < limitMs,
  needsQuiet: true,
})

export const none = (claim: string, left: number, all: readonly unknown[]): Finding => ({
  claim,
  seen: `${all.length - left} of ${all.length}`,
  holds: left === 0 && all.length > 0,
})

/** Checks the answer to a refresh of every session. */
export async function allAnswer(
  claim: string,
  cluster: Cluster,
  sessions: readonly Tokens[],
  expected: number,
): Promise<Finding> {
  const statuses = await mapParallel(
    sessions,
    async (each) => (await refresh(cluster, each)).status,
  )
  return none(claim, statuses.filter((status) => status !== expected).length, sessions)
}

/** The sessions that are open in the database. */
async function findOpen(server: PostgresServer, cluster: Cluster, sessions: readonly Tokens[]) {
  const text = 'SELECT id FROM sessions WHERE id = ANY ($1) AND revoked_at IS NULL'
  const rows = await server.query(text, [sessionIds(sessions)], authDatabase(cluster))
  const open = new Set(rows.map(({ id }) => id))
  return sessions.filter((tokens) => open.has(claimsOf(tokens).sid))
}

/** How many revocations a new verifier does not learn of. */
async function countUnknown(cluster: Cluster, sessions: readonly Tokens[]): Promise<number> {
  const keys = openKeyring(join(cluster.serviceKeys, 'orders', 'keys.json'))
  const issuer = `${cluster.url}/auth`
  const names = { issuer, service: 'orders', instance: 'drill-1' }
  const feed = createRevocationFeed({ url: issuer, keys, ...names })
  try {
    if (!(await feed.catchUp())) throw new Error('The revocation feed does not answer.')
    return sessions.filter((tokens) => !feed.isRevoked(claimsOf(tokens))).length
  } finally {
    feed.close()
    keys.close()
  }
}
