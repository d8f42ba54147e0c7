import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import type { Tokens } from '@latchkey/test-kit/client'
import { createRevocationFeed, openKeyring } from '@latchkey/verify'
import { type Context, type Finding, formatSeconds } from './drill.ts'
import {
  authDatabase,
  countAccepted,
  type LostWrites,
  mapParallel,
  refresh,
  sessionIds,
} from './lost-writes.ts'
import type { PostgresServer } from './postgres-server.ts'
import { claimsOf } from './traffic.ts'

/** From when the services reach the server. */
const restoredWithinMs = 2_000
/** A verifier whose polls have failed repeats them after two seconds. */
const knownWithinMs = 4_000
/** After this, a write is lost. */
const lostAfterMs = 20_000

/** Checks that the services restore what the database has lost; called when they reach it. */
export async function judgeRestored(
  { cluster, progress }: Context,
  server: PostgresServer,
  { ended, refreshed, endedLater }: LostWrites,
): Promise<Finding[]> {
  progress(2, 4, 'waiting for what is lost')
  const [restored, known] = await Promise.all([
    settle(() => countOpen(server, cluster, ended)),
    settle(() => countAccepted(cluster, endedLater)),
  ])
  progress(3, 4, 'looking everything up')
  const both = [...ended, ...endedLater]
  return [
    within('the lost logouts are restored', restored.ms, restoredWithinMs),
    within('every verifier knows the logouts that followed', known.ms, knownWithinMs),
    none('the sessions of the lost logouts are ended again', restored.left, ended),
    await allAnswer('their refresh tokens are dead', cluster, ended, 401),
    none('no verifier accepts their tokens', await countAccepted(cluster, ended), ended),
    none('no verifier accepts the tokens of later logouts', known.left, endedLater),
    none('a verifier that starts now knows all of them', await countUnknown(cluster, both), both),
    await allAnswer('whoever refreshed can refresh with the newest token', cluster, refreshed, 200),
  ]
}

/** Counts until none is left, or it takes too long. */
async function settle(count: () => Promise<number>): Promise<{ left: number; ms: number }> {
  const startedAt = performance.now()
  for (;;) {
    const left = await count()
    const ms = performance.now() - startedAt
    if (left === 0 || ms > lostAfterMs) return { left, ms }
    await sleep(100)
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

/** How many of the sessions are open in the database. */
async function countOpen(server: PostgresServer, cluster: Cluster, sessions: readonly Tokens[]) {
  const text = 'SELECT id FROM sessions WHERE id = ANY ($1) AND revoked_at IS NULL'
  return (await server.query(text, [sessionIds(sessions)], authDatabase(cluster))).length
}

/** How many revocations a new verifier does not learn of. */
async function countUnknown(cluster: Cluster, sessions: readonly Tokens[]): Promise<number> {
  const keys = openKeyring(cluster.verifyingKeysFile)
  const issuer = `${cluster.url}/auth`
  const names = { issuer, service: 'drill', instance: 'drill-1' }
  const feed = createRevocationFeed({ url: issuer, keys, ...names })
  try {
    if (!(await feed.catchUp())) throw new Error('The revocation feed does not answer.')
    return sessions.filter((tokens) => !feed.isRevoked(claimsOf(tokens))).length
  } finally {
    feed.close()
    keys.close()
  }
}
