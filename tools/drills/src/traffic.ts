import {
  type Incoming,
  login,
  type Person,
  register,
  send,
  type Tokens,
} from '@latchkey/test-kit/client'
import { startLoad, type Timing } from '@latchkey/test-kit/load'
import type { Claims } from '@latchkey/verify'

/** What a client does again and again: read who it is, place an order, log in, or refresh. */
export type Action = 'whoami' | 'orders' | 'login' | 'refresh'

/** How many clients there are of each kind. */
export type Clients = Partial<Record<Action, number>>

/** Clients of every kind. */
export const mixedClients: Clients = { whoami: 6, orders: 4, login: 2, refresh: 4 }

/** An answer that was compared with the expected one. */
export interface Answer extends Timing {
  readonly action: Action
  /** 0 means that none arrived. */
  readonly status: number
  readonly retryAfter: string | null
  /** `failed`: no answer, 502, 503 or 504; a client may retry. `wrong`: any other unexpected one. */
  readonly verdict: 'right' | 'failed' | 'wrong'
}

/** Pause of a client after each answer: at most ten requests per second. */
const pauseMs = 100
/** No answer, or one of a server that cannot answer now. */
const retryableStatuses = new Set([0, 502, 503, 504])

/** Does something while clients are at work. @returns its result and all answers */
export async function underTraffic<T>(
  url: string,
  clients: Clients,
  work: (answers: readonly Answer[]) => Promise<T>,
): Promise<{ answers: readonly Answer[]; result: T }> {
  const actions = Object.entries(clients).flatMap(([action, count]) =>
    Array<Action>(count).fill(action as Action),
  )
  const asks = await Promise.all(
    actions.map(async (action) => {
      const person = await register(url)
      const ask = actionRunners[action](url, person, await login(url, person))
      return () => judge(action, ask)
    }),
  )
  const { answers, stop } = startLoad(asks, { pauseMs })
  try {
    return { answers, result: await work(answers) }
  } finally {
    await stop()
  }
}

/** Sends a request; `isRight` tells whether the answer is the expected one. */
type Ask = () => Promise<Incoming & { isRight: boolean }>

async function judge(action: Action, ask: Ask): Promise<Omit<Answer, keyof Timing>> {
  const { status, retryAfter, isRight } = await ask()
  const verdict = isRight ? 'right' : retryableStatuses.has(status) ? 'failed' : 'wrong'
  return { action, status, retryAfter, verdict }
}

const actionRunners: Record<Action, (url: string, person: Person, tokens: Tokens) => Ask> = {
  whoami(url, person, first) {
    const sub = subjectOf(first)
    let tokens = first
    let renewAt = renewalTime(tokens)
    let turn = 0
    return async () => {
      if (Date.now() >= renewAt) {
        tokens = await renew(url, person, tokens)
        renewAt = renewalTime(tokens)
      }
      turn += 1
      const service = turn % 2 === 0 ? 'orders' : 'billing'
      const answer = await send(`${url}/${service}/whoami`, { token: tokens.access_token })
      return compare(answer, 200, (reply: { sub: string }) => reply.sub === sub)
    }
  },

  orders(url, _person, { access_token: token }) {
    let quantity = 0
    return async () => {
      quantity = (quantity % 100) + 1
      const body = { item: 'a key', quantity, unit_price_cents: 350 }
      const answer = await send(`${url}/orders/v1/orders`, { token, body })
      const total = quantity * body.unit_price_cents
      return compare(answer, 201, (order: { total_cents: number }) => order.total_cents === total)
    }
  },

  login(url, person, tokens) {
    const sub = subjectOf(tokens)
    return async () => {
      const answer = await send(`${url}/auth/v1/login`, { body: person })
      return compare(answer, 200, (reply: Tokens) => subjectOf(reply) === sub)
    }
  },

  refresh(url, _person, tokens) {
    const sub = subjectOf(tokens)
    let { refresh_token } = tokens
    return async () => {
      // After a lost answer the same token is sent again: it gets the same successor.
      const answer = await refresh(url, refresh_token)
      return compare(answer, 200, (reply: Tokens) => {
        refresh_token = reply.refresh_token
        return subjectOf(reply) === sub
      })
    }
  },
}

const compare = <T>(answer: Incoming, status: number, isRight: (reply: T) => boolean) => ({
  ...answer,
  isRight: answer.status === status && isRight(answer.reply as T),
})

const refresh = (url: string, refresh_token: string): Promise<Incoming> =>
  send(`${url}/auth/v1/refresh`, { body: { refresh_token } })

/** Half-way through the life of the access token. */
const renewalTime = ({ expires_in }: Tokens): number => Date.now() + expires_in * 500

async function renew(url: string, person: Person, { refresh_token }: Tokens): Promise<Tokens> {
  const { status, reply } = await refresh(url, refresh_token)
  return status === 200 ? (reply as Tokens) : login(url, person)
}

/** The claims of the access token. */
export const claimsOf = ({ access_token }: Tokens): Claims & { sid: string } =>
  JSON.parse(Buffer.from(access_token.split('.')[1] ?? '', 'base64url').toString())

const subjectOf = (tokens: Tokens): string => claimsOf(tokens).sub
