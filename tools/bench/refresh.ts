/** `npm run bench -- refresh`: refreshes over HTTP, compared with their SQL statement alone. */
import pg from 'pg'
import { rotateSession } from '../../services/auth/src/sessions/store.ts'
import { compare, type Measurement, measure, median } from './measure.ts'
import { connectClient } from './refresh-client.ts'
import {
  type ClientSession,
  type HasTeardown,
  type RefreshServer,
  startRefreshServer,
} from './refresh-server.ts'
import { atLeast, report } from './report.ts'

const connections = 16
/** So many that none is refreshed often within the grace period, like those of real clients. */
const sessionsOfSubject = 50_000
const rounds = 20
const warmUp = 10
const roundMs = 1_000
/** The default of `LATCHKEY_REFRESH_GRACE_SECONDS`. */
const graceSeconds = 30

const cleanups: (() => unknown)[] = []
const samples = await run({ teardown: (step) => cleanups.unshift(step) }).finally(async () => {
  for (const step of cleanups) await step()
})

async function run(t: HasTeardown) {
  const off = await startRefreshServer(t, { durable: false })
  const on = await startRefreshServer(t, { durable: true })
  const subjects = {
    'statement, fsync off': await prepareStatement(t, off),
    'route, fsync off': await prepareRoute(off),
    'statement, fsync on': await prepareStatement(t, on),
    'route, fsync on': await prepareRoute(on),
  }
  console.log(`${warmUp + rounds} rounds of ${Object.keys(subjects).length} × ${roundMs} ms …`)
  return measure(subjects, rounds, warmUp)
}

/** Measures rotations per second of the statement, by `pg` in this process. */
async function prepareStatement(t: HasTeardown, server: RefreshServer): Promise<Measurement> {
  const sessions = await server.addSessions(sessionsOfSubject)
  const pool = new pg.Pool({ connectionString: server.databaseUrl, max: connections })
  t.teardown(() => pool.end())
  const rotate = async (session: ClientSession) => {
    const rotated = await rotateSession(pool, { ...session, clientId: null }, graceSeconds)
    session.generation += 1
    if (rotated?.generation !== session.generation) throw new Error('A rotation failed.')
  }
  const load = createLoad(sessions)
  return () => load(Array.from({ length: connections }, () => rotate))
}

/** Measures refreshes per second of the route. */
async function prepareRoute(server: RefreshServer): Promise<Measurement> {
  const load = createLoad(await server.addSessions(sessionsOfSubject))
  return async () => {
    const connecting = Array.from({ length: connections }, () => connectClient(server.url))
    const clients = await Promise.all(connecting)
    const perSecond = await load(
      clients.map(({ refresh }) => async (session) => {
        session.refreshToken = await refresh(session.refreshToken)
      }),
    )
    for (const { close } of clients) close()
    return perSecond
  }
}

/**
 * Makes load for one round: each client refreshes one session at a time, and takes the next one
 * that is due.
 *
 * @returns a function that returns the refreshes per second
 */
function createLoad(sessions: readonly ClientSession[]) {
  let next = 0
  return async (clients: readonly ((session: ClientSession) => Promise<void>)[]) => {
    const first = next
    const started = performance.now()
    const work = clients.map(async (refresh) => {
      while (performance.now() - started < roundMs) {
        await refresh(sessions[next++ % sessions.length] as ClientSession)
      }
    })
    await Promise.all(work)
    return ((next - first) * 1_000) / (performance.now() - started)
  }
}

const bar = (label: string, subject: string) => ({
  label,
  value: median(samples.get(subject)),
  isOurs: label === 'route',
})
const toBars = (fsync: string) => [
  bar('statement', `statement, fsync ${fsync}`),
  bar('route', `route, fsync ${fsync}`),
]
await report({
  name: 'refresh',
  title: 'Refreshing a session',
  method:
    `Load by ${connections} connections: bare \`pg\` for the statement of the route, HTTP for the\n` +
    'route itself. PostgreSQL 18, the auth service and the load share two processors.',
  measures: [
    ...['off', 'on'].map((fsync) =>
      atLeast(
        `route, against the statement alone, with fsync ${fsync}`,
        compare(samples, `route, fsync ${fsync}`, `statement, fsync ${fsync}`),
        50,
      ),
    ),
    atLeast(
      'route with fsync on, against off',
      compare(samples, 'route, fsync on', 'route, fsync off'),
      90,
    ),
  ],
  panels: { 'fsync off': toBars('off'), 'fsync on': toBars('on') },
  unit: 'refreshes a second',
})
