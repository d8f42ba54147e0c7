import type { Queryable } from '@latchkey/service-kit'
import type pg from 'pg'
import type { NewEvent } from '../../services/auth/src/audit/store.ts'
import { durably, withoutWaiting } from '../../services/auth/src/commit.ts'
import { admitLogin, settleFailures } from '../../services/auth/src/passwords/store.ts'
import { createSession, rotateSession } from '../../services/auth/src/sessions/store.ts'
import { type Measurement, median } from './measure.ts'

interface KnownUser {
  readonly email: string
  readonly network: string
}

interface OpenSession {
  readonly sessionId: string
  readonly generation: number
}

const userAgent = 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)'
const event: NewEvent = { action: 'login', actor: 'user', client: userAgent, request_id: 'bench' }
const graceSeconds = 30

/** What is measured of a database: microseconds of each, over one connection. */
export interface Load {
  /** The statement that finds the account and counts the attempt. */
  readonly lookUp: Measurement
  /** Every statement of a login that succeeds, without the hash. */
  readonly login: Measurement
  readonly refresh: Measurement
}

/** Chooses users and sessions at random: one for each of `count` calls, none of them twice. */
export async function createLoad(pool: pg.Pool, count: number, perRound: number): Promise<Load> {
  const users = await chooseUsers(pool, 2 * count)
  const sessions = await chooseSessions(pool, count)
  const db = skipWaiting(pool)

  const findUser = async ({ email, network }: KnownUser) => {
    const attempt = await admitLogin(db, { email, network })
    if (attempt.userId === null || attempt.retryAfterSeconds !== null) throw new Error('No login.')
    return { userId: attempt.userId, failureKeys: attempt.failureKeys }
  }
  const logIn = async (user: KnownUser) => {
    const { userId, failureKeys } = await findUser(user)
    await settleFailures(db, failureKeys)
    const { network } = user
    const session = { userId, passwordVersion: 0, ttlSeconds: 2_592_000, network, userAgent, event }
    if (!(await createSession(db, session))) throw new Error('No session.')
  }
  const refresh = async (session: OpenSession) => {
    const rotated = await rotateSession(db, { ...session, clientId: null }, graceSeconds)
    if (rotated?.generation !== session.generation + 1) throw new Error('A rotation failed.')
  }
  return {
    lookUp: time(users.slice(0, count), perRound, findUser),
    login: time(users.slice(count), perRound, logIn),
    refresh: time(sessions, perRound, refresh),
  }
}

/** A login waits for the write-ahead log, which takes longer than all else, in any database. */
const skipWaiting = (pool: pg.Pool): Queryable => ({
  query: (({ text, ...statement }: pg.QueryConfig) =>
    pool.query({
      ...statement,
      text: text.replace(durably, withoutWaiting),
    })) as Queryable['query'],
})

/** Measures the median of the calls in microseconds, with the next arguments in each round. */
function time<T>(
  all: readonly T[],
  perRound: number,
  call: (argument: T) => Promise<unknown>,
): Measurement {
  return async (round) => {
    const some = all.slice(round * perRound, (round + 1) * perRound)
    if (some.length < perRound) throw new Error('There are too few rows to measure.')
    const times: number[] = []
    for (const argument of some) {
      const started = performance.now()
      await call(argument)
      times.push((performance.now() - started) * 1_000)
    }
    return median(times)
  }
}

/** Users, each with a network of an earlier login. */
async function chooseUsers(pool: pg.Pool, count: number): Promise<KnownUser[]> {
  const { rows } = await pool.query<KnownUser>(
    `SELECT email, host(network) AS network
       FROM (SELECT id, email FROM users WHERE disabled_at IS NULL ORDER BY random() LIMIT $1) AS u
            CROSS JOIN LATERAL (
              SELECT network FROM sessions WHERE user_id = u.id ORDER BY created_at LIMIT 1) AS s`,
    [count],
  )
  return rows
}

async function chooseSessions(pool: pg.Pool, count: number): Promise<OpenSession[]> {
  const { rows } = await pool.query<OpenSession>(
    `SELECT id AS "sessionId", generation FROM sessions
      WHERE revoked_at IS NULL AND expires_at > now() + interval '1 hour'
      ORDER BY random() LIMIT $1`,
    [count],
  )
  return rows
}
