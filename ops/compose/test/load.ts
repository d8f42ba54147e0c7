import type { Answer } from './https.ts'

/** Asks again and again, `width` at a time, until stopped; then says how often it got which answer. */
export function startLoad(width: number, ask: () => Promise<Answer>) {
  const seen = new Map<string, number>()
  let asking = true
  const workers = Array.from({ length: width }, async () => {
    while (asking) {
      const outcome = await ask().then(
        ({ status, servedBy = 'the edge', body }) =>
          status < 400 ? String(status) : `${status} ${body.code ?? body} by ${servedBy}`,
        (err) => String(err),
      )
      seen.set(outcome, (seen.get(outcome) ?? 0) + 1)
    }
  })
  return {
    async stop(): Promise<Record<string, number>> {
      asking = false
      await Promise.all(workers)
      return Object.fromEntries(seen)
    },
  }
}
