import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { login, type Person, send, type Tokens } from '@latchkey/test-kit/client'
import { type Drill, type Finding, killAndAwait, type Stage, scaled } from './drill.ts'

/** What services have acknowledged, and have to stand by. */
interface Acknowledged {
  readonly people: Person[]
  /** Refresh tokens of sessions that were logged out. */
  readonly ended: string[]
  /** And of sessions that were not. */
  readonly open: string[]
  readonly orders: { person: Person; id: string }[]
}

/** What is acknowledged is true for good, whatever dies. */
export const nothingLost: Drill = {
  name: 'nothing-lost',
  what: 'registrations, logins, logouts and orders while instances and Postgres are killed in turn; then each is looked up',
  instances: 2,
  async run(stage) {
    const { cluster, progress } = stage
    const done: Acknowledged = { people: [], ended: [], open: [], orders: [] }
    const ended = new AbortController()
    const workers = Array.from({ length: 3 }, () => keepActing(cluster.url, done, ended.signal))
    await trouble(stage)
    ended.abort()
    await Promise.all(workers)
    progress(0, 1, 'looking everything up')
    return lookUp(cluster.url, done)
  },
}

async function trouble({ cluster, scale, progress }: Stage): Promise<void> {
  const victims = ['postgres', 'auth-1', 'orders-1', 'postgres', 'auth-2', 'edge'] as const
  const total = scaled(12, scale)
  for (let n = 0; n < total; n += 1) {
    await sleep(1_500)
    const name = victims[n % victims.length] ?? 'auth-1'
    // SIGQUIT is a crash of the whole server; SIGKILL would leave its sessions to work on.
    await killAndAwait(cluster, name, name === 'postgres' ? 'SIGQUIT' : 'SIGKILL')
    progress(n + 1, total, 'kills')
  }
  await sleep(1_500)
}

/** Registers, logs in, orders, and logs every second session out; notes only what was acknowledged. */
async function keepActing(url: string, done: Acknowledged, ended: AbortSignal): Promise<void> {
  for (let n = 0; !ended.aborted; n += 1) {
    const person = { email: `${randomUUID()}@example.com`, password: randomUUID() }
    const post = (path: string, body: object, token?: string) =>
      send(`${url}${path}`, { method: 'POST', body, ...(token && { token }) })
    const registered = await post('/auth/v1/register', person)
    if (registered.status !== 201) {
      await sleep(50)
      continue
    }
    done.people.push(person)
    const opened = await post('/auth/v1/login', person)
    if (opened.status !== 200) continue
    const { access_token: token, refresh_token } = opened.reply as Tokens
    const order = { item: 'a key', quantity: 1, unit_price_cents: 350 }
    const placed = await post('/orders/v1/orders', order, token)
    if (placed.status === 201) done.orders.push({ person, id: (placed.reply as { id: string }).id })
    if (n % 2 === 0) {
      done.open.push(refresh_token)
      continue
    }
    const { status } = await send(`${url}/auth/v1/logout`, { method: 'POST', token })
    if (status === 204) done.ended.push(refresh_token)
  }
}

async function lookUp(url: string, done: Acknowledged): Promise<Finding[]> {
  const refresh = (refresh_token: string) => ({ path: '/auth/v1/refresh', body: { refresh_token } })
  return [
    await all('every registered user can log in', url, 200, done.people, (body) => ({
      path: '/auth/v1/login',
      body,
    })),
    await all('every session that was logged out stays ended', url, 401, done.ended, refresh),
    await all('every other session refreshes', url, 200, done.open, refresh),
    await all('every order placed is there', url, 200, done.orders, async ({ id, person }) => ({
      path: `/orders/v1/orders/${id}`,
      token: (await login(url, person)).access_token,
    })),
  ]
}

interface Question {
  path: string
  body?: object
  token?: string
}

/** Asks about each thing once; all have to be answered with the status. */
async function all<T>(
  claim: string,
  url: string,
  status: number,
  things: readonly T[],
  question: (thing: T) => Question | Promise<Question>,
): Promise<Finding> {
  let right = 0
  for (const thing of things) {
    const { path, ...rest } = await question(thing)
    const sent = await send(`${url}${path}`, { method: rest.body ? 'POST' : 'GET', ...rest })
    if (sent.status === status) right += 1
  }
  const holds = right === things.length && things.length > 0
  return { claim, seen: `${right} of ${things.length}`, holds }
}
