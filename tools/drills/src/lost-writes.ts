// Sessions with writes that are acknowledged, and that the database then loses.
import type { Cluster } from '@latchkey/cluster/cluster'
import { login, logout, register, send, type Tokens } from '@latchkey/test-kit/client'
import { type Context, scaled } from './drill.ts'
import type { PostgresServer } from './postgres-server.ts'
import { claimsOf } from './traffic.ts'

const logouts = 500
/** Together 2,000 refreshes. */
const refreshers = 500
export const refreshesEach = 4
/** Sessions that end afterwards, and the revocations that follow them beyond the lost ones. */
const laterLogouts = 20
/** More than the 32 numbers that a sequence may skip in a crash. */
const surplus = 100
const parallel = 8

export interface LostWrites {
  /** Sessions whose logout is lost. */
  readonly ended: readonly Tokens[]
  /** Sessions whose refreshes are lost, with their newest tokens. */
  readonly refreshed: readonly Tokens[]
  /** Sessions that end in the database that has lost the others. */
  readonly endedLater: readonly Tokens[]
}

export async function openSessions({ cluster: { url }, scale }: Context): Promise<LostWrites> {
  const people = await Promise.all(Array.from({ length: parallel }, () => register(url)))
  const open = async (count: number) => {
    const each = people.map((person) => Array(Math.ceil(count / parallel)).fill(person))
    return mapParallel(each.flat().slice(0, count), (person) => login(url, person))
  }
  return {
    ended: await open(scaled(logouts, scale)),
    refreshed: await open(scaled(refreshers, scale)),
    endedLater: await open(laterLogouts),
  }
}

/** Ends and refreshes the sessions; resolves when all of it is acknowledged. */
export async function endAndRefresh(
  { cluster, progress }: Context,
  { ended, refreshed }: LostWrites,
): Promise<void> {
  progress(1, 4, 'writes that will be lost')
  await mapParallel(ended, ({ access_token }) => logout(cluster.url, access_token))
  await refreshAll(cluster, refreshed)
}

/** Refreshes each session several times; resolves when all of it is acknowledged. */
export async function refreshAll(cluster: Cluster, refreshed: readonly Tokens[]): Promise<void> {
  for (let n = 0; n < refreshesEach; n += 1) {
    await mapParallel(refreshed, async (tokens) => {
      const { status, reply } = await refresh(cluster, tokens)
      if (status !== 200) throw new Error(`A refresh was answered with ${status}.`)
      Object.assign(tokens, reply)
    })
  }
}

/** Revokes more than was lost, before any service reaches the server: numbers are used again. */
export async function revokeMore(
  server: PostgresServer,
  cluster: Cluster,
  { ended, endedLater }: LostWrites,
): Promise<void> {
  const end = 'UPDATE sessions SET revoked_at = now() WHERE id = ANY ($1)'
  const add = `
    INSERT INTO revocations (kind, id, expires_at)
    SELECT 'session', gen_random_uuid()::text, now() + interval '1 hour'
      FROM generate_series(1, $1)`
  await server.query(end, [sessionIds(endedLater)], authDatabase(cluster))
  await server.query(add, [ended.length + surplus], authDatabase(cluster))
}

export const sessionIds = (sessions: readonly Tokens[]) =>
  sessions.map((tokens) => claimsOf(tokens).sid)

/** The name of the database of auth. */
export const authDatabase = ({ databaseUrls }: Cluster): string =>
  new URL(databaseUrls.auth).pathname.slice(1)

/** Refreshes a session; once more if there was no answer to it. */
export async function refresh({ url }: Cluster, { refresh_token }: Tokens) {
  const ask = () => send(`${url}/auth/v1/refresh`, { body: { refresh_token } })
  const first = await ask()
  return [200, 401].includes(first.status) ? first : ask()
}

/**
 * Asks every verifier for each token, a few at a time, until one of them is accepted: more requests
 * would delay what they wait for.
 *
 * @returns the sessions whose tokens are accepted, or not asked for
 */
export async function findAccepted(
  { instances }: Cluster,
  sessions: readonly Tokens[],
): Promise<readonly Tokens[]> {
  const verifiers = instances.filter(({ service }) => service !== 'auth')
  const isRefused = async ({ access_token: token }: Tokens) => {
    const answers = await Promise.all(verifiers.map(({ url }) => send(`${url}/whoami`, { token })))
    return answers.every(({ status }) => status === 401)
  }
  for (let asked = 0; asked < sessions.length; asked += parallel) {
    const refused = await Promise.all(sessions.slice(asked, asked + parallel).map(isRefused))
    if (refused.includes(false)) return sessions.slice(asked)
  }
  return []
}

/** Does something with every item, eight at a time. @returns the results, in no order */
export async function mapParallel<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const queue = items.values()
  const worker = async () => {
    for (const item of queue) results.push(await work(item))
  }
  await Promise.all(Array.from({ length: parallel }, worker))
  return results
}
