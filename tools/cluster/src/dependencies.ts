import { type DataFolder, shortenPath } from './data/data-folder.ts'
import { ensureKeys } from './data/keys.ts'
import type { Secrets } from './data/secrets.ts'
import { type MailCatcher, startMailCatcher } from './mail/mail-catcher.ts'
import type { ClusterOptions } from './options.ts'
import { type Databases, prepareDatabases } from './postgres/databases.ts'
import { prepareServer } from './postgres/server.ts'
import { SupervisedProcess } from './processes/supervised-process.ts'
import type { ServiceInstances } from './services/service-instances.ts'
import type { SharedSettings } from './services/service-program.ts'
import { resourceServiceNames, serviceNames } from './services/services.ts'

/** What has been started so far. Stopping undoes it, also in the middle of a start. */
export interface Started {
  readonly folder: DataFolder
  edge?: SupervisedProcess<number>
  postgres?: SupervisedProcess<true>
  mail?: MailCatcher
  services?: ServiceInstances
  /** Databases to drop at the end. */
  temporaryDatabases?: Databases
}

const poolMax = 10

/** Starts what the services need: the edge, databases, the key files, and a server for mail. */
export async function prepareDependencies(
  started: Started,
  edge: SupervisedProcess<number>,
  secrets: Secrets,
  options: ClusterOptions,
): Promise<SharedSettings> {
  const { keysFile, serviceKeys, logFile, mail } = started.folder
  const { registration = 'open', onMail = () => {} } = options
  const audiences = [...resourceServiceNames, ...(options.audiences ?? [])]
  started.mail = await startMailCatcher({ folder: mail, onMail })
  const databaseServer = prepareDatabaseServer(started, options, secrets)
  const work = [edge.start(), databaseServer, ensureKeys(started.folder, audiences)] as const
  // After a failure, the others must settle before they can be stopped.
  await Promise.allSettled(work)
  const [port, databases] = await Promise.all(work)
  const edgeUrl = `http://${reachableHost(options.host)}:${port}`
  options.onReady?.('keys', shortenPath(keysFile))
  options.onReady?.('edge', edgeUrl)
  const env = { LATCHKEY_DATABASE_POOL_MAX: String(poolMax), ...options.env }
  return {
    ...{ edgeUrl, audiences, keysFile, serviceKeys, registration },
    ...{ smtpUrl: started.mail.url, databaseUrls: databases.urls, env, logFile },
  }
}

/** The name under which this machine reaches the edge. */
function reachableHost(host = '127.0.0.1'): string {
  if (['127.0.0.1', '0.0.0.0', '::', '::1'].includes(host)) return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

async function prepareDatabaseServer(
  started: Started,
  options: ClusterOptions,
  secrets: Secrets,
): Promise<Databases> {
  const { databaseUrl, ephemeral, onReady } = options
  const adminUrl = databaseUrl ?? (await startServer(started, options, secrets.postgres))
  const fresh = ephemeral && databaseUrl !== undefined
  const databases = await prepareDatabases(adminUrl, secrets, { fresh })
  if (fresh) started.temporaryDatabases = databases
  onReady?.('postgres', `PostgreSQL ${databases.serverVersion} on ${new URL(adminUrl).host}`)
  return databases
}

async function startServer(
  started: Started,
  { ephemeral, instances, onEvent = () => {}, signal }: ClusterOptions,
  password: string,
): Promise<string> {
  const { postgres: folder, logFile } = started.folder
  const { program, adminUrl } = await prepareServer({
    folder,
    logFile: logFile('postgres'),
    password,
    maxConnections: Math.max(100, instances * serviceNames.length * (poolMax + 1) + 20),
    durable: !ephemeral,
    onEvent,
  })
  started.postgres = new SupervisedProcess(program, { onEvent })
  signal?.throwIfAborted()
  await started.postgres.start()
  return adminUrl
}
