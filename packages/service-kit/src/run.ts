import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import closeWithGrace from 'close-with-grace'
import { type TObject, Type } from 'typebox'
import { ConfigError, loadConfig } from './config.ts'
import { describeDatabaseError, isDatabaseUnavailable } from './database-errors.ts'
import { createUrlReader } from './database-url.ts'
import { renderHelp } from './help.ts'
import { migrate } from './migrations.ts'
import { createService, type ServiceDefinition } from './service.ts'
import { type ServiceConfig, serviceSettings } from './settings.ts'
import { startTracing } from './tracing.ts'

/** Longest time for open requests to finish after SIGTERM, in milliseconds. */
const graceMs = 10_000

/**
 * Runs a service as this process: reads the configuration, listens, and shuts down gracefully.
 *
 * On SIGTERM or SIGINT `/readyz` turns 503; after the drain time the server stops accepting
 * connections, finishes open requests and exits with 0. A configuration that cannot be used ends
 * the process with one sentence and exit code 1.
 *
 * `main.ts migrate` updates the schema of the database instead. It reads only the setting
 * `LATCHKEY_DATABASE_URL`. `main.ts --help` prints all settings.
 */
export async function runService<T extends TObject>(service: ServiceDefinition<T>): Promise<void> {
  // In a container this is process 1, which ignores every signal that it has no handler for.
  const leave = () => process.exit(128 + constants.signals.SIGTERM)
  process.once('SIGTERM', leave)
  try {
    const [command] = process.argv.slice(2)
    if (command === 'migrate') await migrateDatabase(service)
    else if (command === '--help' || command === '-h' || command === 'help') {
      process.stdout.write(renderHelp(service))
    } else if (command === undefined) await serve(service, () => process.off('SIGTERM', leave))
    else throw new ConfigError(`unknown command "${command}"; --help lists the commands`)
  } catch (err) {
    process.stderr.write(`${service.name} cannot start: ${describeStartError(err)}\n`)
    process.exit(1)
  }
}

async function serve<T extends TObject>(
  service: ServiceDefinition<T>,
  onCreated: () => void,
): Promise<void> {
  const config = loadConfig(service.settings, process.env)
  const { LATCHKEY_HOST, LATCHKEY_PORT, LATCHKEY_DRAIN_SECONDS } = config as ServiceConfig
  const { OTEL_EXPORTER_OTLP_ENDPOINT, LATCHKEY_INSTANCE } = config as ServiceConfig
  const tracing = OTEL_EXPORTER_OTLP_ENDPOINT
    ? await startTracing(service.name, LATCHKEY_INSTANCE)
    : undefined
  const app = await createService(service, config)
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
  onCreated()
  await app.listen({ host: LATCHKEY_HOST, port: LATCHKEY_PORT }).catch((err) => {
    // Hooks that run before may fail too, such as the check of the routes.
    if (!/^(listen|getaddrinfo)$/.test(err.syscall)) throw err
    throw new ConfigError(`LATCHKEY_HOST or LATCHKEY_PORT cannot be used: ${err.message}`)
  })
}

async function migrateDatabase<T extends TObject>(service: ServiceDefinition<T>): Promise<void> {
  const { LATCHKEY_DATABASE_URL } = serviceSettings
  const config = loadConfig(Type.Object({ LATCHKEY_DATABASE_URL }), process.env)
  const run = await migrate(createUrlReader(config), service.migrations)
  const done = run.length === 0 ? 'nothing to migrate' : `migrated: ${run.join(', ')}`
  process.stdout.write(`${service.name}: ${done}\n`)
}

function describeStartError(err: unknown): string {
  if (err instanceof ConfigError) return err.message
  if (isDatabaseUnavailable(err)) return describeDatabaseError(err)
  if (!(err instanceof Error)) return String(err)
  // Errors with a code are written for people, such as those of the keyring; others need their
  // stack.
  return 'code' in err && err.message !== '' ? err.message : (err.stack ?? err.message)
}
