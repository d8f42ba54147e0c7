import { setTimeout as sleep } from 'node:timers/promises'

/** When a request was sent and answered, on the clock of `performance.now`. */
export interface Timing {
  readonly askedAt: number
  readonly answeredAt: number
}

/** Clients that send requests until they are stopped. */
export interface Load<T> {
  /** Every answer so far, in the order of arrival. */
  readonly answers: readonly (T & Timing)[]
  /** Stops the clients; resolves when the last answer is in. */
  stop(): Promise<void>
}

/**
 * Makes load: each client sends one request at a time, again and again, with a pause after each.
 *
 * @param clients for each client, a function that sends a request and describes the answer. If it
 *   rejects, its client stops and `stop` rejects.
 */
export function startLoad<T extends object>(
  clients: readonly (() => Promise<T>)[],
  { pauseMs = 0 }: { pauseMs?: number } = {},
): Load<T> {
  const answers: (T & Timing)[] = []
  let stopped = false
  const work = clients.map(async (ask) => {
    // Clients that start together would otherwise send all their requests together.
    await sleep(Math.random() * pauseMs)
    while (!stopped) {
      const askedAt = performance.now()
      const answer = await ask()
      answers.push({ ...answer, askedAt, answeredAt: performance.now() })
      if (pauseMs > 0) await sleep(pauseMs)
    }
  })
  const allStopped = Promise.all(work)
  // Reported by `stop`; until then a rejection must not end the process.
  allStopped.catch(() => {})
  return {
    answers,
    async stop() {
      stopped = true
      await allStopped
    },
  }
}

/** Counts equal values: `{ 200: 812, 503: 2 }`. */
export function countValues(values: Iterable<string | number>): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1
  return counts
}
