// What concerns an instance in the local cluster alone; `bundle.ts` puts it before the service.
import { once } from 'node:events'
import { shiftClock } from '../../drills/src/clock.ts'

// A killed cluster shall leave no instance behind.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))

const settings = once(process, 'message')

/** The code is loaded while Postgres is still being set up; its settings come when all are known. */
export async function receiveSettings(): Promise<void> {
  process.send?.('loaded')
  const [env] = await settings
  Object.assign(process.env, env)
  setClockAhead(env)
  process.channel?.unref()
}

/** A drill's instance whose clock is wrong: `LATCHKEY_DRILL_CLOCK="orders-1 30"`, in seconds. */
function setClockAhead(env: NodeJS.ProcessEnv): void {
  const [instance, seconds] = env.LATCHKEY_DRILL_CLOCK?.split(' ') ?? []
  if (instance !== undefined && instance === env.LATCHKEY_INSTANCE) {
    shiftClock(Number(seconds) * 1_000)
  }
}
