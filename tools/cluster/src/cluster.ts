import { bundleServices } from './bundle.ts'
import { openDataFolder } from './data/data-folder.ts'
import { loadSecrets } from './data/secrets.ts'
import { type Parts, prepareEnvironment, settleAll } from './dependencies.ts'
import { EdgeProcess } from './edge/edge-process.ts'
import { ClusterError } from './errors/cluster-error.ts'
import { signalWholeServer } from './postgres/server.ts'
import { Supervised } from './processes/supervised-process.ts'
import { type DemoUser, registerDemoUser } from './services/demo-user.ts'
import { Fleet, type Instance } from './services/instances.ts'
import type { ServiceName } from './services/services.ts'

/** What a cluster is made of. */
export interface ClusterOptions {
  /** Port of the edge on localhost; 0 takes any free one. */
  readonly port: number
  /** Instances of each service. */
  readonly instances: number
  /** Starts in a fresh temporary folder, removed at the end. */
  readonly ephemeral: boolean
  /** A Postgres server to use instead of the embedded one, as a user who may make databases. */
  readonly databaseUrl?: string | undefined
  /** Where everything is kept; default `.latchkey` in the checkout. */
  readonly dataFolder?: string | undefined
  /** Set in the environment of every service instance. */
  readonly env?: NodeJS.ProcessEnv
  /** Told that a part is ready, with a detail for people. */
  readonly onReady?: (part: string, detail: string) => void
  /** Told one sentence for people: what died and came back, what was found. */
  readonly onEvent?: (sentence: string) => void
  /** Ends the start, which then rejects once everything is stopped. */
  readonly signal?: AbortSignal
}

/** A running cluster. Processes are called by name: `orders-2`, `edge`, `postgres`. */
export interface Cluster {
  /** Where the edge answers, as `http://localhost:8080`. */
  readonly url: string
  readonly demoUser: DemoUser
  readonly instances: readonly Instance[]
  readonly dataFolder: string
  readonly keysFile: string
  readonly databaseUrls: Readonly<Record<ServiceName, string>>
  /** The process id, or `undefined` before its first start. */
  pid(name: string): number | undefined
  /** Whether it serves, as far as is known. */
  isUp(name: string): boolean
  /** Sends a signal, SIGKILL by default; what dies of it is started again. */
  kill(name: string, signal?: NodeJS.Signals): void
  /**
   * Stops a process in order and leaves it down; an instance answers first what it was given.
   *
   * @returns its exit code; null when it had to be killed
   */
  stopProcess(name: string): Promise<number | null>
  /** Starts a stopped process; resolves when it serves. */
  startProcess(name: string): Promise<void>
  /** Both, one after the other: with two instances of a service no request is lost. */
  restart(name: string): Promise<void>
  /** Stops a process, with Postgres all its sessions, from doing anything (SIGSTOP). */
  freeze(name: string): void
  thaw(name: string): void
  /** Stops everything in order: edge, services, Postgres. */
  stop(): Promise<void>
  /** Kills everything at once, for who cannot wait; Postgres recovers at its next start. */
  abandon(): void
}

/**
 * Starts a cluster; resolves when the demo user can log in.
 *
 * @throws ClusterError with one sentence, after everything that was started is stopped
 */
export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const { ephemeral, dataFolder: path } = options
  const parts: Parts = { folder: await openDataFolder({ ephemeral, path }) }
  const onAbort = () => killAll(parts)
  options.signal?.addEventListener('abort', onAbort)
  try {
    return await assemble(parts, options)
  } catch (err) {
    await stopAll(parts, options)
    throw options.signal?.aborted ? new ClusterError('Stopped while starting.') : err
  } finally {
    options.signal?.removeEventListener('abort', onAbort)
  }
}

async function assemble(parts: Parts, options: ClusterOptions): Promise<Cluster> {
  const { folder } = parts
  const { onReady = () => {}, onEvent: say = () => {}, signal } = options
  const secrets = await loadSecrets(folder.secretsFile)
  const edge = new EdgeProcess(options.port, folder.logFile('edge'), folder.takenOver ? 3_000 : 0)
  parts.edge = new Supervised(edge.program, { up: () => {}, down: () => {}, say })
  const environment = prepareEnvironment(parts, parts.edge, secrets, options)
  const programs = await bundleServices().catch(async (err) => {
    await Promise.allSettled([environment])
    throw err
  })
  const fleet = new Fleet(edge, options.instances, programs, folder.logFile, environment, say)
  parts.fleet = fleet
  const [{ edgeUrl: url, keysFile, databaseUrls }] = await settleAll([
    environment,
    fleet.start((service, names) => onReady(service, names.join(', '))),
  ])
  signal?.throwIfAborted()
  const demoUser = await registerDemoUser(url, secrets.demo)

  const processes = new Map<string, Supervised<unknown>>()
  for (const one of [parts.edge, parts.postgres, ...fleet.processes])
    if (one) processes.set(one.name, one)
  const find = (name: string) => {
    const found = processes.get(name)
    if (!found) throw new ClusterError(`There is no process "${name}" in this cluster.`)
    return found
  }
  const suspend = (name: string, how: 'SIGSTOP' | 'SIGCONT') => {
    const { pid } = find(name)
    if (name === 'postgres' && pid !== undefined) signalWholeServer(pid, how)
    else find(name).kill(how)
  }
  const stopProcess = (name: string) => fleet.stopOne(find(name))
  const startProcess = async (name: string) => void (await find(name).start())

  return {
    url,
    demoUser,
    get instances() {
      return fleet.instances
    },
    dataFolder: folder.path,
    keysFile,
    databaseUrls,
    pid: (name) => find(name).pid,
    isUp: (name) => find(name).isUp,
    kill: (name, killSignal = 'SIGKILL') => find(name).kill(killSignal),
    stopProcess,
    startProcess,
    async restart(name) {
      await stopProcess(name)
      await startProcess(name)
    },
    freeze: (name) => suspend(name, 'SIGSTOP'),
    thaw: (name) => suspend(name, 'SIGCONT'),
    stop: () => stopAll(parts, options),
    abandon() {
      killAll(parts)
      folder.abandon()
    },
  }
}

async function stopAll(parts: Parts, { onEvent: say = () => {} }: ClusterOptions): Promise<void> {
  await parts.edge?.stop()
  await parts.fleet?.stop()
  await parts.databases
    ?.drop()
    .catch((err) => say(`the databases could not be removed: ${err.message}`))
  await parts.postgres?.stop()
  await parts.folder.close()
}

/** What is killed so stays dead. */
function killAll(parts: Parts): void {
  parts.edge?.abandon('SIGKILL')
  for (const process of parts.fleet?.processes ?? []) process.abandon('SIGKILL')
  parts.postgres?.abandon('SIGQUIT')
}
