import { setTimeout as sleep } from 'node:timers/promises'
import { login, type Person, register, send, type Tokens } from '@latchkey/test-kit/client'

/** What clients do. */
const deeds = ['whoami', 'orders', 'login', 'refresh'] as const
export type Deed = (typeof deeds)[number]

/** What came of one request. Times on the clock of `performance.now`. */
export interface Answer {
  readonly deed: Deed
  readonly askedAt: number
  readonly answeredAt: number
  /** 0 is no answer. */
  readonly status: number
  readonly servedBy: string
  readonly retryAfter: string | null
  /** `failed` is no answer, 502, 503 or 504; whatever else is not right is `wrong`. */
  readonly verdict: 'right' | 'failed' | 'wrong'
}

/** Clients at work. */
export interface Traffic {
  readonly answers: readonly Answer[]
  /** Stops asking; resolves when the last answer is in. */
  stop(): Promise<void>
}

const deedsPerSecond = 10
/** Of a failed request, tried again by a client that means it, in milliseconds. */
const honestFailures = new Set([0, 502, 503, 504])

/**
 * Clients that each do one thing, ten times a second: ask who they are, place an order, log in,
 * or refresh. Every answer is read and compared with what it has to be.
 */
export async function startTraffic(
  url: string,
  clients: Partial<Record<Deed, number>>,
): Promise<Traffic> {
  const answers: Answer[] = []
  const stopping = new AbortController()
  const wanted = deeds.flatMap((deed) => Array<Deed>(clients[deed] ?? 0).fill(deed))
  const workers = await Promise.all(
    wanted.map(async (deed) => {
      const person = await register(url)
      return { deed, ask: askers[deed](url, person, await login(url, person)) }
    }),
  )
  const work = workers.map(async ({ deed, ask }) => {
    await sleep(Math.random() * (1_000 / deedsPerSecond))
    while (!stopping.signal.aborted) {
      answers.push(await timed(deed, ask))
      await sleep(1_000 / deedsPerSecond)
    }
  })
  return {
    answers,
    stop: async () => {
      stopping.abort()
      await Promise.all(work)
    },
  }
}

type Sent = Awaited<ReturnType<typeof send>>
/** Asks once; `fits` says whether the answer is the one that was due. */
type Ask = () => Promise<Sent & { fits: boolean }>

async function timed(deed: Deed, ask: Ask): Promise<Answer> {
  const askedAt = performance.now()
  const { status, servedBy, retryAfter, fits } = await ask()
  const verdict = fits ? 'right' : honestFailures.has(status) ? 'failed' : 'wrong'
  return { deed, askedAt, answeredAt: performance.now(), status, servedBy, retryAfter, verdict }
}

const askers: Record<Deed, (url: string, person: Person, tokens: Tokens) => Ask> = {
  whoami: (url, _person, { access_token: token }) => {
    const sub = subjectOf(token)
    let turn = 0
    return async () => {
      turn += 1
      const service = turn % 2 === 0 ? 'orders' : 'billing'
      const sent = await send(`${url}/${service}/whoami`, { token })
      return { ...sent, fits: sent.status === 200 && (sent.reply as { sub: string }).sub === sub }
    }
  },

  orders: (url, _person, { access_token: token }) => {
    let quantity = 0
    return async () => {
      quantity = (quantity % 100) + 1
      const body = { item: 'a key', quantity, unit_price_cents: 350 }
      const sent = await send(`${url}/orders/v1/orders`, { method: 'POST', token, body })
      const due = quantity * body.unit_price_cents
      const order = sent.reply as { total_cents: number }
      return { ...sent, fits: sent.status === 201 && order.total_cents === due }
    }
  },

  login: (url, person, { access_token }) => {
    const sub = subjectOf(access_token)
    return async () => {
      const sent = await send(`${url}/auth/v1/login`, { method: 'POST', body: person })
      return { ...sent, fits: isTokenOf(sub, sent) }
    }
  },

  refresh: (url, _person, tokens) => {
    const sub = subjectOf(tokens.access_token)
    let refresh_token = tokens.refresh_token
    return async () => {
      // After a lost answer the same token is sent again: it gets the same successor.
      const body = { refresh_token }
      const sent = await send(`${url}/auth/v1/refresh`, { method: 'POST', body })
      const fits = isTokenOf(sub, sent)
      if (fits) refresh_token = (sent.reply as Tokens).refresh_token
      return { ...sent, fits }
    }
  },
}

const isTokenOf = (sub: string, { status, reply }: Sent): boolean =>
  status === 200 && subjectOf((reply as Tokens).access_token) === sub

const subjectOf = (token: string): string =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).sub

/** A count of answers as a person reads it: `3 of 812 failed (2 × 502, 1 × no answer)`. */
export function summary(answers: readonly Answer[]): string {
  const notRight = answers.filter(({ verdict }) => verdict !== 'right')
  const byStatus = Map.groupBy(
    notRight,
    ({ status, verdict }) => `${status || 'no answer'}${verdict === 'wrong' ? ' WRONG' : ''}`,
  )
  const detail = [...byStatus].map(([status, list]) => `${list.length} × ${status}`).join(', ')
  return `${notRight.length} of ${answers.length}${detail && ` (${detail})`}`
}

/** The answers that were not right. */
export const failuresOf = (answers: readonly Answer[]): Answer[] =>
  answers.filter(({ verdict }) => verdict !== 'right')

/** That nothing was answered wrongly, which holds in every drill. */
export function nothingWrong(answers: readonly Answer[]) {
  const wrong = answers.filter(({ verdict }) => verdict === 'wrong')
  return {
    claim: 'no answer is wrong',
    seen: wrong.length === 0 ? `0 of ${answers.length}` : summary(wrong),
    holds: wrong.length === 0 && answers.length > 0,
  }
}
