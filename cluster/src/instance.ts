// Loaded ahead of a service's main.ts. Three things concern the local cluster alone:
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'

// A killed cluster shall leave no instance behind.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))

// The code is loaded while Postgres is still being set up; its settings come when all are known.
const settings = once(process, 'message')
await import(pathToFileURL(join(dirname(process.argv[1] ?? ''), 'app.ts')).href)
const [env] = await settings
Object.assign(process.env, env)
await setClockAhead(env)
process.channel?.unref()

/** A drill's instance whose clock is wrong: `LATCHKEY_DRILL_CLOCK="orders-1 30"`, in seconds. */
async function setClockAhead(env: NodeJS.ProcessEnv): Promise<void> {
  const [instance, seconds] = env.LATCHKEY_DRILL_CLOCK?.split(' ') ?? []
  if (instance === undefined || instance !== env.LATCHKEY_INSTANCE) return
  const { shiftClock } = await import('./drills/clock.ts')
  shiftClock(Number(seconds) * 1_000)
}
