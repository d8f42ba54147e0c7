import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import type { Static, TObject } from 'typebox'
import { ConfigError, loadConfig } from './config.ts'
import type { Service } from './server.ts'
import type { ServiceConfig } from './settings.ts'

/** How a service is put together. */
export interface ServiceDefinition<T extends TObject> {
  name: string
  /** Schema of the environment variables the service reads. */
  settings: T
  build: (config: Static<T>) => Promise<Service>
}

/** Answering what is in hand may take this long after SIGTERM, in milliseconds. */
const graceMs = 10_000

/**
 * Runs a service as this process: reads the configuration, listens, stops in order.
 *
 * On SIGTERM or SIGINT `/readyz` turns 503 first, then, after the drain time, the server stops
 * taking connections, answers what it has and exits with 0. A configuration that cannot be
 * served ends the process with one sentence and exit code 1.
 */
export async function runService<T extends TObject>(service: ServiceDefinition<T>): Promise<void> {
  const { name, settings, build } = service
  try {
    const config = loadConfig(settings, process.env)
    const { LATCHKEY_HOST, LATCHKEY_PORT, LATCHKEY_DRAIN_SECONDS } = config as ServiceConfig
    const app = await build(config)
    closeWithGrace(
      { delay: LATCHKEY_DRAIN_SECONDS * 1_000 + graceMs, logger: app.log },
      async ({ err, signal }) => {
        if (err) app.log.fatal({ err }, 'stopping after an unexpected error')
        else app.log.info({ signal }, 'stopping')
        app.readiness.drain()
        if (!err) await sleep(LATCHKEY_DRAIN_SECONDS * 1_000)
        await app.close()
      },
    )
    await app.listen({ host: LATCHKEY_HOST, port: LATCHKEY_PORT })
  } catch (err) {
    process.stderr.write(`${name} cannot start: ${sentence(err)}\n`)
    process.exit(1)
  }
}

function sentence(err: unknown): string {
  if (err instanceof ConfigError) return err.message
  if (!(err instanceof Error)) return String(err)
  // Errors of the keyring and the like are written for people; a stack helps with all the others.
  return 'code' in err && err.message !== '' ? err.message : (err.stack ?? err.message)
}
