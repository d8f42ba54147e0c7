import { stopWithParent } from '@latchkey/embedded-postgres'
import { openDataFolder } from './data/data-folder.ts'
import { loadSecrets, type Secrets } from './data/secrets.ts'
import { prepareDependencies, type Started } from './dependencies.ts'
import { EdgeProcess } from './edge/edge-process.ts'
import { ClusterError } from './errors/cluster-error.ts'
import type { ClusterOptions, KeyFiles } from './options.ts'
import { signalFamily } from './processes/process-table.ts'
import { SupervisedProcess } from './processes/supervised-process.ts'
import { registerApps } from './services/apps.ts'
import { createDemoUser, type DemoUser } from './services/demo-user.ts'
import { type Instance, ServiceInstances } from './services/service-instances.ts'
import type { SharedSettings } from './services/service-program.ts'
import type { ServiceName } from './services/services.ts'

/** A running cluster. Processes are named as `orders-2`, `edge`, `postgres`. */
export interface Cluster extends KeyFiles {
  /** The address of the edge, as `http://localhost:8080`. */
  readonly url: string
  readonly demoUser: DemoUser
  readonly instances: readonly Instance[]
  readonly dataFolder: string
  /** The folder of the mail that was caught: `<time>-<address>.eml`. */
  readonly mailFolder: string
  readonly databaseUrls: Readonly<Record<ServiceName, string>>
  /** The process ID; `undefined` before the first start. */
  pid(name: string): number | undefined
  /** Whether the process became ready and has not died since. */
  isUp(name: string): boolean
  /** Sends a signal, SIGKILL by default. A process that dies of it is restarted. */
  kill(name: string, signal?: NodeJS.Signals): void
  /**
   * Stops a process gracefully and leaves it stopped. An instance first answers its requests.
   *
   * @returns its exit code; null when it had to be killed
   */
  stopProcess(name: string): Promise<number | null>
  /** Starts a stopped process; resolves when it is ready. */
  startProcess(name: string): Promise<void>
  /** Stops and starts a process. With two instances of a service, no request is lost. */
  restart(name: string): Promise<void>
  /** Suspends a process and its children with SIGSTOP. Their connections stay open. */
  freeze(name: string): void
  thaw(name: string): void
  /** Stops everything in order: edge, services, Postgres. */
  stop(): Promise<void>
  /** Kills everything immediately. Postgres recovers at its next start. */
  abandon(): void
}

/**
 * Starts a cluster; resolves when the demo user can log in.
 *
 * @throws ClusterError after everything that was started has stopped
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { ephemeral, dataFolder: path, signal } = options
  const started: Started = { folder: await openDataFolder({ ephemeral, path }) }
  const onAbort = () => killAll(started)
  signal?.addEventListener('abort', onAbort)
  try {
    const secrets = await loadSecrets(started.folder.secretsFile)
    const { settings, edge } = await startAll(started, secrets, options)
    signal?.throwIfAborted()
    const [demoUser] = await Promise.all([
      createDemoUser(settings, secrets.demo),
      registerApps(settings),
    ])
    const instances = started.services?.instances.map(({ name }) => name) ?? []
    await edge.publish({ url: settings.edgeUrl, instances, demoEmail: demoUser.email })
    return createHandle(started, settings, demoUser, options)
  } catch (err) {
    await stopAll(started, options)
    throw signal?.aborted ? new ClusterError('Stopped before the start was complete.') : err
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
}

async function startAll(started: Started, secrets: Secrets, options: ClusterOptions) {
  const { folder } = started
  const { port, host = '127.0.0.1', instances, signal } = options
  const { onReady = () => {}, onEvent = () => {} } = options
  const edge = new EdgeProcess({ port, host, logFile: folder.logFile('edge') })
  started.edge = new SupervisedProcess(edge.program, { onEvent })
  const settings = await prepareDependencies(started, started.edge, secrets, options)
  signal?.throwIfAborted()
  started.services = new ServiceInstances(edge, instances, settings, onEvent)
  await started.services.start((service, names) => onReady(service, names.join(', ')))
  return { settings, edge }
}

function createHandle(
  started: Started,
  { edgeUrl, keysFile, serviceKeys, databaseUrls }: SharedSettings,
  demoUser: DemoUser,
  options: ClusterOptions,
): Cluster {
  const { folder, edge, postgres, services } = started
  const processes = [edge, postgres, ...(services?.processes ?? [])]
  const find = (name: string): SupervisedProcess<unknown> => {
    const found = processes.find((process) => process?.name === name)
    if (!found) throw new ClusterError(`This cluster has no process "${name}".`)
    return found
  }
  const watches = new Map<string, () => void>()
  const stopProcess = async (name: string) => (await services?.stopOne(find(name))) ?? null
  const startProcess = async (name: string) => void (await find(name).start())
  return {
    url: edgeUrl,
    demoUser,
    get instances() {
      return services?.instances ?? []
    },
    dataFolder: folder.path,
    mailFolder: folder.mail,
    keysFile,
    serviceKeys,
    databaseUrls,
    pid: (name) => find(name).pid,
    isUp: (name) => find(name).value !== undefined,
    kill: (name, signal = 'SIGKILL') => find(name).kill(signal),
    stopProcess,
    startProcess,
    async restart(name) {
      await stopProcess(name)
      await startProcess(name)
    },
    freeze(name) {
      const { pid } = find(name)
      // A frozen process does not notice the death of this one.
      if (pid !== undefined) watches.set(name, stopWithParent(pid, undefined))
      signalFamily(pid, 'SIGSTOP')
    },
    thaw(name) {
      watches.get(name)?.()
      signalFamily(find(name).pid, 'SIGCONT')
    },
    stop: () => stopAll(started, options),
    abandon() {
      killAll(started)
      folder.close()
    },
  }
}

async function stopAll(started: Started, { onEvent }: ClusterOptions): Promise<void> {
  await started.edge?.stop()
  await started.services?.stop()
  await started.temporaryDatabases
    ?.drop()
    .catch((err) => onEvent?.(`the databases could not be removed: ${err.message}`))
  await started.postgres?.stop()
  started.mail?.close()
  started.folder.close()
}

/** Kills all processes; none of them is restarted. */
function killAll({ edge, services, postgres, mail }: Started): void {
  edge?.abandon('SIGKILL')
  for (const process of services?.processes ?? []) process.abandon('SIGKILL')
  postgres?.abandon('SIGQUIT')
  mail?.close()
}
