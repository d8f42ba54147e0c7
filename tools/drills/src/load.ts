import { setTimeout as sleep } from 'node:timers/promises'
import { login, type Person, register, send, type Tokens } from '@latchkey/test-kit/client'

/** What a steady load has seen so far. */
export interface Load {
  /** Answers by status; 0 is no answer. */
  readonly statuses: ReadonlyMap<number, number>
  /** Stops asking; resolves when the last answer is in. */
  stop(): Promise<void>
}

/** Requests a second of one client. */
const requestsPerSecond = 10

/**
 * A bounded number of users who each keep a session alive and ask orders and billing who they are,
 * with a token that has not expired: every answer but 200 is a live token refused or a request lost.
 */
export async function startLoad(url: string, clients: number): Promise<Load> {
  const statuses = new Map<number, number>()
  const stopping = new AbortController()
  const people = await Promise.all(Array.from({ length: clients }, () => register(url)))
  const work = people.map((person, i) => keepAsking(url, person, i, statuses, stopping.signal))
  return {
    statuses,
    stop: async () => {
      stopping.abort()
      await Promise.all(work)
    },
  }
}

async function keepAsking(
  url: string,
  person: Person,
  offset: number,
  statuses: Map<number, number>,
  stopping: AbortSignal,
): Promise<void> {
  let tokens = await login(url, person)
  let renewAt = renewalTime(tokens)
  for (let n = offset; !stopping.aborted; n += 1) {
    if (Date.now() >= renewAt) {
      tokens = await renew(url, person, tokens)
      renewAt = renewalTime(tokens)
    }
    const service = n % 2 === 0 ? 'orders' : 'billing'
    const { status } = await send(`${url}/${service}/whoami`, { token: tokens.access_token })
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    await sleep(1_000 / requestsPerSecond)
  }
}

/** Well before the token expires. */
const renewalTime = ({ expires_in }: Tokens): number => Date.now() + expires_in * 500

async function renew(url: string, person: Person, { refresh_token }: Tokens): Promise<Tokens> {
  const body = { refresh_token }
  const { status, reply } = await send(`${url}/auth/v1/refresh`, { method: 'POST', body })
  return status === 200 ? (reply as Tokens) : login(url, person)
}

/** How many answers were something else than 200, as a person reads it. */
export function describeFailures({ statuses }: Load): { failed: number; text: string } {
  const total = [...statuses.values()].reduce((sum, count) => sum + count, 0)
  const others = [...statuses].filter(([status]) => status !== 200)
  const failed = others.reduce((sum, [, count]) => sum + count, 0)
  const detail = others.map(([status, count]) => `${count} × ${status || 'no answer'}`).join(', ')
  return { failed, text: `${failed} of ${total}${detail && ` (${detail})`}` }
}
