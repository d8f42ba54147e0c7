// Loaded ahead of a service's main.ts. Two things concern the local cluster alone:
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
process.channel?.unref()
