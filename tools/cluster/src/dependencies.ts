import type { ClusterOptions } from './cluster.ts'
import { type DataFolder, showPath } from './data/data-folder.ts'
import { ensureKeys } from './data/keys.ts'
import type { Secrets } from './data/secrets.ts'
import { type Databases, prepareDatabases } from './postgres/databases.ts'
import { preparePostgres } from './postgres/server.ts'
import { Supervised } from './processes/supervised-process.ts'
import type { Fleet } from './services/instances.ts'
import { type ServiceEnvironment, serviceNames } from './services/services.ts'

/** What exists so far, so that any start can be undone. */
export interface Parts {
  folder: DataFolder
  edge?: Supervised<number>
  postgres?: Supervised<void>
  fleet?: Fleet
  databases?: Databases
}

const poolMax = 10

/** Sees to all that the services need: the edge's address, a database each, the keyring. */
export async function prepareEnvironment(
  parts: Parts,
  edge: Supervised<number>,
  secrets: Secrets,
  options: ClusterOptions,
): Promise<ServiceEnvironment> {
  const { keysFile } = parts.folder
  const { onReady = () => {} } = options
  const [edgeUrl, databases] = await settleAll([
    edge.start().then((port) => `http://localhost:${port}`),
    prepareDatabaseServer(parts, options, secrets),
    ensureKeys(keysFile),
  ])
  onReady('keys', showPath(keysFile))
  onReady('edge', edgeUrl)
  const extra = { LATCHKEY_DATABASE_POOL_MAX: String(poolMax), ...options.env }
  return { edgeUrl, keysFile, databaseUrls: databases.urls, extra }
}

async function prepareDatabaseServer(
  parts: Parts,
  options: ClusterOptions,
  secrets: Secrets,
): Promise<Databases> {
  const { folder } = parts
  const { databaseUrl, ephemeral, instances, onReady, onEvent: say = () => {} } = options
  let adminUrl = databaseUrl
  if (adminUrl === undefined) {
    const postgres = await preparePostgres({
      folder: folder.postgres,
      logFile: folder.logFile('postgres'),
      password: secrets.postgres,
      maxConnections: Math.max(100, instances * serviceNames.length * (poolMax + 1) + 20),
      ephemeral,
      say,
    })
    adminUrl = postgres.adminUrl
    parts.postgres = new Supervised(postgres.program, { up: () => {}, down: () => {}, say })
    options.signal?.throwIfAborted()
    await parts.postgres.start()
  }
  const fresh = ephemeral && databaseUrl !== undefined
  const databases = await prepareDatabases(adminUrl, secrets, { fresh })
  if (fresh) parts.databases = databases
  const { host } = new URL(adminUrl)
  onReady?.('postgres', `PostgreSQL ${databases.serverVersion} on ${host}`)
  return databases
}

/** As `Promise.all`, but a failure is thrown only when all have come to an end and can be undone. */
export async function settleAll<T extends readonly unknown[]>(
  work: {
    readonly [K in keyof T]: Promise<T[K]>
  },
): Promise<T> {
  await Promise.allSettled(work)
  return Promise.all(work) as Promise<unknown> as Promise<T>
}
