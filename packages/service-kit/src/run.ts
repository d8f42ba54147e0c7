import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import { type Static, type TObject, Type } from 'typebox'
import { ConfigError, loadConfig } from './config.ts'
import { isDatabaseUnavailable, migrate } from './database.ts'
import { collectGarbageOfStart } from './memory.ts'
import type { Service } from './server.ts'
import { type ServiceConfig, serviceSettings } from './settings.ts'
import { startTracing } from './tracing.ts'

/** How a service is put together. */
export interface ServiceDefinition<T extends TObject> {
  name: string
  /** Schema of the environment variables the service reads. */
  settings: T
  /** Folder of plain SQL migrations. */
  migrations: URL
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
 *
 * Called as `main.ts migrate` it brings the database up to date instead, and needs of the settings
 * only where that is.
 */
export async function runService<T extends TObject>(service: ServiceDefinition<T>): Promise<void> {
  // In a container this is process 1, which no signal ends that it does not listen to.
  const leave = () => process.exit(128 + constants.signals.SIGTERM)
  process.once('SIGTERM', leave)
  try {
    const [command] = process.argv.slice(2)
    if (command === 'migrate') await migrateDatabase(service)
    else if (command === undefined) await serve(service, () => process.off('SIGTERM', leave))
    else throw new ConfigError(`there is no command "${command}", only "migrate"`)
  } catch (err) {
    process.stderr.write(`${service.name} cannot start: ${sentence(err)}\n`)
    process.exit(1)
  }
}

async function serve<T extends TObject>(
  { name, settings, build }: ServiceDefinition<T>,
  onBuilt: () => void,
): Promise<void> {
  const config = loadConfig(settings, process.env)
  const { LATCHKEY_HOST, LATCHKEY_PORT, LATCHKEY_DRAIN_SECONDS } = config as ServiceConfig
  const { OTEL_EXPORTER_OTLP_ENDPOINT, LATCHKEY_INSTANCE } = config as ServiceConfig
  const tracing = OTEL_EXPORTER_OTLP_ENDPOINT
    ? await startTracing(name, LATCHKEY_INSTANCE)
    : undefined
  const app = await build(config)
  tracing?.reportTo(app.log)
  closeWithGrace(
    { delay: LATCHKEY_DRAIN_SECONDS * 1_000 + graceMs, logger: app.log },
    async ({ err, signal }) => {
      if (err) app.log.fatal({ err }, 'stopping after an unexpected error')
      else app.log.info({ signal }, 'stopping')
      app.readiness.drain()
      if (!err) await sleep(LATCHKEY_DRAIN_SECONDS * 1_000)
      await app.close()
      await tracing?.stop()
    },
  )
  onBuilt()
  await app.ready()
  collectGarbageOfStart()
  await app.listen({ host: LATCHKEY_HOST, port: LATCHKEY_PORT })
}

async function migrateDatabase<T extends TObject>(service: ServiceDefinition<T>): Promise<void> {
  const { LATCHKEY_DATABASE_URL } = loadConfig(
    Type.Object({ LATCHKEY_DATABASE_URL: serviceSettings.LATCHKEY_DATABASE_URL }),
    process.env,
  )
  const run = await migrate(LATCHKEY_DATABASE_URL, service.migrations)
  const done = run.length === 0 ? 'nothing to migrate' : `migrated: ${run.join(', ')}`
  process.stdout.write(`${service.name}: ${done}\n`)
}

function sentence(err: unknown): string {
  if (err instanceof ConfigError) return err.message
  if (isDatabaseUnavailable(err)) {
    const { code } = err as { code?: string }
    return `the database cannot be reached${code ? ` (${code})` : ''}`
  }
  if (!(err instanceof Error)) return String(err)
  // Errors of the keyring and the like are written for people; a stack helps with all the others.
  return 'code' in err && err.message !== '' ? err.message : (err.stack ?? err.message)
}
