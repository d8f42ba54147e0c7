import { setTimeout as sleep } from 'node:timers/promises'
import { login, type Person, register, send, type Tokens } from '@latchkey/test-kit/client'
import { startLoad } from '@latchkey/test-kit/load'
import { type Context, type Drill, type Finding, killAndAwaitRestart, repeat } from './drill.ts'

/** What services have acknowledged. */
export interface Acknowledged {
  readonly people: Person[]
  /** Refresh tokens of sessions that were logged out, and of the others. */
  readonly ended: string[]
  readonly open: string[]
  readonly orders: { person: Person; id: string }[]
}

export const nothingLost: Drill = {
  name: 'nothing-lost',
  description: 'instances, edge and Postgres killed in turn under writes, which are then looked up',
  async run(context) {
    const { url } = context.cluster
    const done: Acknowledged = { people: [], ended: [], open: [], orders: [] }
    const { stop } = startLoad(Array.from({ length: 3 }, () => createWriter(url, done)))
    await killInTurn(context).finally(stop)
    context.progress(0, 1, 'looking everything up')
    return lookUp(url, done)
  },
}

async function killInTurn(context: Context): Promise<void> {
  const victims = ['postgres', 'auth-1', 'orders-1', 'postgres', 'auth-2', 'edge'] as const
  await repeat(context, 12, 'kills', async (n) => {
    await sleep(1_500)
    const name = victims[n % victims.length] ?? 'auth-1'
    // SIGQUIT crashes the whole server; after SIGKILL its sessions would continue.
    await killAndAwaitRestart(context.cluster, name, name === 'postgres' ? 'SIGQUIT' : 'SIGKILL')
  })
  await sleep(1_500)
}

/**
 * Creates a client that registers a user, logs in, orders, and logs every second session out; it
 * records what is acknowledged.
 */
export function createWriter(url: string, done: Acknowledged) {
  let endsSession = false
  return async () => {
    const person = await register(url).catch(() => sleep(50))
    if (!person) return {}
    done.people.push(person)
    const opened = await send(`${url}/auth/v1/login`, { body: person })
    if (opened.status !== 200) return {}
    const { access_token: token, refresh_token } = opened.reply as Tokens
    const body = { item: 'a key', quantity: 1, unit_price_cents: 350 }
    const placed = await send(`${url}/orders/v1/orders`, { body, token })
    if (placed.status === 201) done.orders.push({ person, id: (placed.reply as { id: string }).id })
    endsSession = !endsSession
    if (!endsSession) {
      done.open.push(refresh_token)
    } else {
      const ended = await send(`${url}/auth/v1/logout`, { method: 'POST', token })
      if (ended.status === 204) done.ended.push(refresh_token)
    }
    return {}
  }
}

export async function lookUp(url: string, { people, ended, open, orders }: Acknowledged) {
  const post = async (path: string, body: object) => (await send(`${url}${path}`, { body })).status
  const refresh = (refresh_token: string) => post('/auth/v1/refresh', { refresh_token })
  const logIn = (person: Person) => post('/auth/v1/login', person)
  return [
    await all('every registered user can log in', people, 200, logIn),
    await all('every session that was logged out stays ended', ended, 401, refresh),
    await all('every other session can be refreshed', open, 200, refresh),
    await all('every placed order can be read', orders, 200, async ({ id, person }) => {
      const { access_token: token } = await login(url, person)
      return (await send(`${url}/orders/v1/orders/${id}`, { token })).status
    }),
  ]
}

/** Checks that every item is answered with the expected status. */
async function all<T>(
  claim: string,
  items: readonly T[],
  expected: number,
  ask: (item: T) => Promise<number>,
): Promise<Finding> {
  let right = 0
  for (const item of items) if ((await ask(item).catch(() => 0)) === expected) right += 1
  const holds = right === items.length && items.length > 0
  return { claim, seen: `${right} of ${items.length}`, holds }
}
