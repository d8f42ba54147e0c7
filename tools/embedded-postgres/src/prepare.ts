import { execFile, spawn } from 'node:child_process'
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { readIfThere } from '../data/data-folder.ts'
import { ClusterError } from '../errors/cluster-error.ts'
import { type Child, startChild } from '../processes/child.ts'
import { childrenOf, commandOf, isAlive, waitForEnd } from '../processes/process-table.ts'
import type { Program } from '../processes/supervised-process.ts'
import {
  type Binaries,
  checkPassable,
  findBinaries,
  postgresUser,
  type SystemUser,
} from './binaries.ts'

/** How the embedded server is set up. */
export interface PostgresOptions {
  readonly folder: string
  readonly logFile: string
  readonly password: string
  readonly maxConnections: number
  /** Whether a crash of the machine may lose data; a crash of Postgres never does. */
  readonly ephemeral: boolean
  readonly say: (sentence: string) => void
}

/** The embedded server, not started yet. */
export interface EmbeddedPostgres {
  readonly program: Program<void>
  /** Connection URI of the superuser. */
  readonly adminUrl: string
}

const stopTimeoutMs = 10_000

/**
 * Prepares an embedded PostgreSQL: makes its data folder where there is none, and ends a server that
 * an earlier cluster left behind.
 *
 * @throws ClusterError
 */
export async function preparePostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const { folder, logFile, password, maxConnections, ephemeral, say } = options
  const binaries = await findBinaries()
  const user = postgresUser(say)
  if (user) {
    checkPassable(dirname(folder), user)
    checkPassable(dirname(binaries.postgres), user)
  }
  await endLeftover(folder, say)
  if ((await readIfThere(`${folder}/PG_VERSION`)) === undefined) {
    await initialise(binaries, user, folder, password)
  }
  const port = await findFreePort()
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: maxConnections,
    ...(ephemeral && { fsync: 'off', full_page_writes: 'off' }),
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return {
    adminUrl: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    program: {
      name: 'postgres',
      stopSignal: 'SIGINT', // Fast shutdown: sessions are ended, what is committed is kept.
      stopTimeoutMs,
      launch() {
        const child = startChild({
          command: binaries.postgres,
          args: ['-D', folder, ...flags],
          env: serverEnv(),
          logFile,
          ipc: false,
          user,
        })
        endWithUs(child, user)
        return child
      },
      async untilReady(child, died) {
        while (!child.output().includes('database system is ready to accept connections')) {
          await sleep(10, undefined, { signal: died })
        }
      },
    },
  }
}

/** Freezes or thaws a server and all its sessions: sockets stay open and nothing answers. */
export function signalWholeServer(postmaster: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  for (const pid of [postmaster, ...childrenOf(postmaster)]) process.kill(pid, signal)
}

/** Made aside and then renamed, so that an interrupted start leaves nothing half-made. */
async function initialise(
  binaries: Binaries,
  user: SystemUser | undefined,
  folder: string,
  password: string,
) {
  const draft = `${folder}.new`
  const passwordFile = `${folder}.password`
  await rm(draft, { recursive: true, force: true })
  await writeFile(passwordFile, password, { mode: 0o600 })
  try {
    const own = async (path: string) => user && chown(path, user.uid, user.gid)
    await own(passwordFile)
    // Root keeps the parent folder to itself, so the server's user cannot make its own folder there.
    await mkdir(draft, { mode: 0o700 })
    await own(draft)
    await promisify(execFile)(
      binaries.initdb,
      [
        `--pgdata=${draft}`,
        `--pwfile=${passwordFile}`,
        '--username=postgres',
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        '--locale=C',
        '--locale-provider=builtin',
        '--builtin-locale=C.UTF-8',
        '--no-instructions',
      ],
      { env: serverEnv(), ...user },
    )
    await rename(draft, folder)
  } catch (err) {
    const { stderr = '' } = err as { stderr?: string }
    const words = stderr.split('\n').find((line) => line.includes('error:'))
    throw words ? new ClusterError(`The database cannot be set up: ${words}`) : err
  } finally {
    await rm(passwordFile, { force: true })
  }
}

/** Ends the server that a killed cluster left on this data folder. */
async function endLeftover(folder: string, say: (sentence: string) => void): Promise<void> {
  const pid = Number((await readIfThere(`${folder}/postmaster.pid`))?.split('\n', 1)[0])
  if (!(pid > 1) || !isAlive(pid) || !commandOf(pid).includes(folder)) return
  process.kill(pid, 'SIGINT')
  process.kill(pid, 'SIGCONT')
  if (!(await waitForEnd(pid, stopTimeoutMs))) {
    throw new ClusterError(
      `A Postgres of an earlier run (process ${pid}) does not stop; end it first.`,
    )
  }
  say(`stopped a Postgres that an earlier run left behind (process ${pid})`)
}

/**
 * Sees to it that the server stops when this process is killed: a shell waits for the pipe between us
 * to break.
 */
function endWithUs(child: Child, user: SystemUser | undefined): void {
  if (process.platform === 'win32' || child.process.pid === undefined) return
  const script = 'read -r _; kill -INT "$0"'
  const watchdog = spawn('/bin/sh', ['-c', script, String(child.process.pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    ...user,
  })
  watchdog.on('error', () => {})
  watchdog.stdin?.on('error', () => {})
  child.process.once('exit', () => watchdog.kill('SIGKILL'))
}

/** The server speaks English, which we read, and follows no PG* variable of the caller. */
function serverEnv(): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return { ...Object.fromEntries(own), LC_ALL: 'C' }
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address()
      probe.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
