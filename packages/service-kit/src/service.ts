import { type Static, type TObject, type TProperties, Type } from 'typebox'
import { authentication } from './authentication.ts'
import { database } from './database.ts'
import { keyring } from './keyring.ts'
import { openapi } from './openapi.ts'
import { createServer, type Service } from './server.ts'
import {
  type ServiceConfig,
  serviceSettings,
  type VerifierConfig,
  verifierSettings,
} from './settings.ts'
import { whoamiRoute } from './whoami.ts'

/** A service, before it is configured. `runService` runs it; tests pass it to `createService`. */
export interface ServiceDefinition<T extends TObject> {
  /** For example `orders`. Used in logs, metrics and traces. */
  readonly name: string
  /** Schema of the environment variables the service reads; it contains `serviceSettings`. */
  readonly settings: T
  /** Folder of plain SQL migrations. */
  readonly migrations: URL
  /** Whether one of the database connections is for `app.pipeline`. */
  readonly hasPipeline?: boolean
  /** Registers the service's own plugins and routes. `app.keyring` and `app.db` exist by then. */
  readonly setUp: (app: Service, config: Static<T>) => Promise<void>
}

/** The definition of a service that verifies tokens. */
interface ResourceService<T extends TProperties> {
  /** Also the audience its tokens must name. */
  readonly name: string
  /** Settings in addition to those of every verifying service. */
  readonly settings?: T
  readonly migrations: URL
  /** Registers the routes. Each requires a token unless it has `config: { public: true }`. */
  readonly routes: (app: Service, config: VerifierConfig & Static<TObject<T>>) => unknown
}

/** Creates a service: a server with a keyring, a database, and the service's own routes. */
export async function createService<T extends TObject>(
  { name, migrations, hasPipeline, setUp }: ServiceDefinition<T>,
  config: Static<T>,
): Promise<Service> {
  const shared = config as ServiceConfig
  const app = createServer({ name, config: shared })
  await app.register(keyring, { file: shared.LATCHKEY_KEYS_FILE })
  await app.register(database, { config: shared, migrations, hasPipeline })
  await setUp(app, config)
  return app
}

/**
 * Defines a service that verifies tokens locally. Authentication is registered before any route of
 * the service, and `GET /whoami` and the OpenAPI description `GET /docs/json` are included.
 *
 * @example
 * const orders = resourceService({
 *   name: 'orders',
 *   migrations: new URL('../migrations/', import.meta.url),
 *   routes: (app) => app.register(ordersRoutes, { prefix: '/v1' }),
 * })
 */
export function resourceService<T extends TProperties = Record<never, never>>({
  name,
  settings,
  migrations,
  routes,
}: ResourceService<T>) {
  return {
    name,
    settings: Type.Object({ ...serviceSettings, ...verifierSettings, ...(settings as T) }),
    migrations,
    async setUp(app: Service, config: VerifierConfig & Static<TObject<T>>) {
      await app.register(authentication, { service: name, config })
      await app.register(openapi, {
        title: `Latchkey ${name}`,
        description: 'Verifies the tokens of the auth service locally.',
      })
      app.get('/docs/json', { config: { public: true } }, async () => app.swagger())
      await app.register(whoamiRoute, { servedBy: config.LATCHKEY_INSTANCE })
      await routes(app, config)
    },
  }
}
