import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import getPort from 'get-port'
import { EmbeddedPostgresError } from './errors.ts'
import { findPrograms, type Release } from './programs.ts'
import { assertReachable, findServerUser, type SystemUser } from './system-user.ts'

export interface PostgresOptions {
  /** The data folder; its parent must exist. */
  readonly folder: string
  /** Of the superuser `postgres`. */
  readonly password: string
  readonly maxConnections: number
  /** `false` turns fsync off: a crash of the machine may lose data, one of Postgres does not. */
  readonly durable: boolean
  /** Default: 18. */
  readonly release?: Release
  /** More settings of the server, by name. */
  readonly settings?: Readonly<Record<string, string>>
  /** Receives one sentence for people. */
  readonly onEvent?: (sentence: string) => void
}

/** A server that is ready to be started, any number of times, always on the same port. */
export interface PreparedPostgres {
  /** Connection URI of the superuser. */
  readonly url: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: NodeJS.ProcessEnv
  /** The user to run as, if not the current one. */
  readonly user: SystemUser | undefined
  /** Fast shutdown: sessions end, committed data is kept. */
  readonly stopSignal: 'SIGINT'
  readonly stopTimeoutMs: number
  /** The server accepts connections, maybe read-only ones, once this is in its log. */
  readonly readyText: string
}

const stopTimeoutMs = 10_000

/**
 * Prepares a PostgreSQL server: creates the data folder if there is none, and stops a server that
 * an earlier process left running on it.
 *
 * @throws EmbeddedPostgresError
 */
export async function preparePostgres(options: PostgresOptions): Promise<PreparedPostgres> {
  const { folder, password, maxConnections, durable, onEvent = () => {} } = options
  const { initdb, postgres } = await findPrograms(options.release ?? 18)
  const user = findServerUser(onEvent)
  if (user) for (const path of [folder, postgres]) assertReachable(dirname(path), user)
  await stopLeftover(folder, onEvent)
  if ((await readIfExists(`${folder}/PG_VERSION`)) === undefined) {
    await initialize(initdb, user, options)
  }
  const port = await getPort({ host: '127.0.0.1' })
  const settings = {
    port,
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    max_connections: maxConnections,
    ...(!durable && { fsync: 'off', full_page_writes: 'off' }),
    ...options.settings,
  }
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
  return {
    url: `postgres://postgres:${password}@127.0.0.1:${port}/postgres`,
    command: postgres,
    args: ['-D', folder, ...flags],
    env: serverEnv(),
    user,
    stopSignal: 'SIGINT',
    stopTimeoutMs,
    readyText: 'database system is ready to accept',
  }
}

/** Renames the folder when it is complete: an interrupted start leaves no incomplete one. */
async function initialize(
  initdb: string,
  user: SystemUser | undefined,
  { folder, password, durable, release = 18 }: PostgresOptions,
): Promise<void> {
  const draft = `${folder}.new`
  const passwordFile = `${folder}.password`
  await rm(draft, { recursive: true, force: true })
  await writeFile(passwordFile, password, { mode: 0o600 })
  // Root owns the parent folder, so the server's user cannot create its own folder there.
  await mkdir(draft, { mode: 0o700 })
  if (user) for (const path of [draft, passwordFile]) await chown(path, user.uid, user.gid)
  const flags = [
    `--pgdata=${draft}`,
    `--pwfile=${passwordFile}`,
    '--username=postgres',
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    ...(release === 14 ? [] : ['--locale-provider=builtin', '--builtin-locale=C.UTF-8']),
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
  ]
  const { failed, stderr, shortMessage } = await execa(initdb, flags, {
    env: serverEnv(),
    extendEnv: false,
    reject: false,
    ...user,
  })
  await rm(passwordFile, { force: true })
  if (failed) {
    const reason = stderr?.split('\n').find((line) => line.includes('error:')) ?? shortMessage
    throw new EmbeddedPostgresError(`initdb failed: ${reason}`)
  }
  await rename(draft, folder)
}

/** Stops the server that a killed process left running on this data folder. */
async function stopLeftover(folder: string, onEvent: (sentence: string) => void): Promise<void> {
  const pid = Number((await readIfExists(`${folder}/postmaster.pid`))?.split('\n', 1)[0])
  // The file may be older than the last reboot, and the process ID now another program's.
  const isRunning = async () => pid > 1 && (await commandLineOf(pid)).includes(folder)
  if (!(await isRunning())) return
  process.kill(pid, 'SIGINT')
  // A frozen server handles no other signal, and waits for its frozen sessions.
  process.kill(pid, 'SIGCONT')
  await execa('pkill', ['-CONT', '-P', String(pid)], { reject: false })
  const deadline = Date.now() + stopTimeoutMs
  while (await isRunning()) {
    if (Date.now() > deadline) {
      throw new EmbeddedPostgresError(
        `PostgreSQL from an earlier run (process ${pid}) does not stop; kill it, then start again`,
      )
    }
    await sleep(20)
  }
  onEvent(`stopped PostgreSQL, which an earlier run left behind (process ${pid})`)
}

/** The command line of a process; empty if there is no such process, or if it has ended. */
async function commandLineOf(pid: number): Promise<string> {
  if (process.platform === 'linux') {
    return (await readIfExists(`/proc/${pid}/cmdline`))?.replaceAll('\0', ' ') ?? ''
  }
  return (await execa('ps', ['-o', 'command=', '-p', String(pid)], { reject: false })).stdout ?? ''
}

/** The log must be in English, because it is parsed; PG* variables of the caller must not apply. */
function serverEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(PG|LC_|LANG)/.test(name))
  return { ...Object.fromEntries(kept), LC_ALL: 'C' }
}

async function readIfExists(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8')
  } catch (err) {
    if (['ENOENT', 'ESRCH'].includes(String((err as NodeJS.ErrnoException).code))) return undefined
    throw err
  }
}
