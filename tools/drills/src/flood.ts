// A process of its own, so that the measured clients do not wait for it. It sends at a fixed rate,
// whether or not answers arrive: a client that waits for answers would not flood a slow server.
import { setTimeout as sleep } from 'node:timers/promises'
import { type Person, send } from '@latchkey/test-kit/client'
import { getOneMessage, sendMessage } from 'execa'

export type FloodOrder = {
  readonly url: string
  /** They log in, in turn. */
  readonly people: readonly Person[]
  readonly perSecond: number
  readonly milliseconds: number
}

/** The result of each login: `200`, `503 with Retry-After`, `503`, `no answer`, `not sent`. */
export type FloodResults = readonly string[]

/** Beyond this a request is not sent: it would only queue in this process. */
const maxOutstanding = 1_000
const tickMs = 10
/** Long enough for the whole queue of the server, also where hashes are slow. */
const timeoutMs = 300_000
/** Until the server's queue is full. Answers before are not counted. */
const leadInMs = 1_000

async function flood({ url, people, perSecond, milliseconds }: FloodOrder): Promise<FloodResults> {
  const results: string[] = []
  const pending = new Set<Promise<void>>()
  const logIn = async (body: Person) => {
    const sent = await send(`${url}/auth/v1/login`, { body, timeoutMs })
    const result = sent.status === 0 ? 'no answer' : String(sent.status)
    results.push(sent.retryAfter === null ? result : `${result} with Retry-After`)
  }
  const startedAt = performance.now()
  let sent = 0
  const sendUntil = async (end: number) => {
    while (performance.now() < end) {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond)
      for (; sent < due; sent += 1) {
        if (pending.size >= maxOutstanding) {
          results.push('not sent')
          continue
        }
        const login = logIn(people[sent % people.length] as Person)
        pending.add(login)
        login.finally(() => pending.delete(login))
      }
      await sleep(tickMs)
    }
  }
  await sendUntil(startedAt + leadInMs)
  results.length = 0
  await sendUntil(startedAt + leadInMs + milliseconds)
  // Answers that arrive later do not count.
  const inTime = [...results]
  await Promise.all(pending)
  return inTime
}

await sendMessage(await flood((await getOneMessage()) as FloodOrder))
