import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** When the start is over, in milliseconds; several services that start at once need the processors themselves. */
const afterMs = 5_000

/** Of a second a busy event loop is at work more than this; V8 then collects by itself, and needs no pause more. */
const busy = 0.2

/**
 * Gives back what loading and compiling left behind, once, a while after the start: a quarter of the resident
 * memory of a service at rest, for a pause of some 60 ms. V8 itself would keep it until it needs it.
 */
export function collectGarbageOfStart(): void {
  const { eventLoopUtilization } = performance
  let since = eventLoopUtilization()
  const timer = setInterval(() => {
    const { utilization } = eventLoopUtilization(since)
    since = eventLoopUtilization()
    if (utilization > busy) return
    clearInterval(timer)
    setFlagsFromString('--expose-gc')
    const gc: NonNullable<typeof globalThis.gc> = runInNewContext('gc')
    gc({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    setFlagsFromString('--no-expose-gc')
  }, afterMs).unref()
}
