// A process of its own, so that the clients that are measured do not wait for it.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Person } from '@latchkey/test-kit/client'
import { Pool } from 'undici'

/** What the flood is to be: logins of these people, so many a second, whether or not answers come. */
export interface FloodOrder {
  readonly url: string
  readonly people: readonly Person[]
  readonly perSecond: number
  readonly milliseconds: number
}

/** Answers by what came: `200`, `503 with Retry-After`, `503`, `no answer` … */
export type FloodReport = Record<string, number>

/** Beyond it a request is not sent but counted: we would only queue it ourselves. */
const maxOutstanding = 1_000
const tickMs = 10
/** Until the queue is full: what is answered before does not count. */
const leadInMs = 1_000

async function flood({ url, people, perSecond, milliseconds }: FloodOrder): Promise<FloodReport> {
  const pool = new Pool(new URL(url).origin, { connections: 256 })
  const bodies = people.map((person) => JSON.stringify(person))
  let report: FloodReport = {}
  const count = (what: string) => {
    report[what] = (report[what] ?? 0) + 1
  }
  const pending = new Set<Promise<void>>()
  const ask = async (body: string) => {
    try {
      const {
        statusCode,
        headers,
        body: reply,
      } = await pool.request({
        path: '/auth/v1/login',
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
      await reply.dump()
      count(headers['retry-after'] ? `${statusCode} with Retry-After` : String(statusCode))
    } catch {
      count('no answer')
    }
  }
  const startedAt = performance.now()
  let sent = 0
  const sendUntil = async (end: number) => {
    while (performance.now() < end) {
      const due = Math.floor(((performance.now() - startedAt) / 1_000) * perSecond)
      for (; sent < due; sent += 1) {
        if (pending.size >= maxOutstanding) {
          count('not sent')
          continue
        }
        const asked: Promise<void> = ask(bodies[sent % bodies.length] ?? '').finally(() =>
          pending.delete(asked),
        )
        pending.add(asked)
      }
      await sleep(tickMs)
    }
  }
  await sendUntil(startedAt + leadInMs)
  report = {}
  await sendUntil(startedAt + leadInMs + milliseconds)
  // What was answered in time is what counts; the rest is waited for and left out.
  const inTime = { ...report }
  await Promise.all(pending)
  await pool.destroy()
  return inTime
}

process.once('message', async (order: FloodOrder) => {
  process.send?.(await flood(order))
  process.disconnect()
})
