import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import { EmbeddedPostgresError } from './errors.ts'
import { type PostgresOptions, type PreparedPostgres, preparePostgres } from './prepare.ts'
import { stopWithParent } from './stop-with-parent.ts'

export interface RunningPostgres {
  /** Connection URI of the superuser. */
  readonly url: string
  /** Stops the server and removes its data. */
  stop(): Promise<void>
}

/**
 * Starts a fresh PostgreSQL server in a temporary folder, by default without durability. It stops
 * when this process dies.
 *
 * @throws EmbeddedPostgresError
 */
export async function startEmbeddedPostgres(
  maxConnections: number,
  {
    durable = false,
    ...options
  }: Partial<Pick<PostgresOptions, 'durable' | 'release' | 'settings'>> = {},
): Promise<RunningPostgres> {
  const parent = await mkdtemp(join(tmpdir(), 'latchkey-postgres-'))
  const remove = () => rm(parent, { recursive: true, force: true })
  try {
    await chmod(parent, 0o711) // As root, the server runs as another user.
    const password = randomBytes(24).toString('base64url')
    const folder = join(parent, 'data')
    const server = await preparePostgres({ ...options, folder, password, maxConnections, durable })
    const { stop } = await runPostgres(server)
    return { url: server.url, stop: () => stop().then(remove) }
  } catch (err) {
    await remove()
    throw err
  }
}

/** A server process that accepts connections. */
export interface PostgresProcess {
  readonly pid: number | undefined
  /** Resolves when it has ended. */
  readonly exited: Promise<void>
  /** Stops it; resolves when it has ended. */
  stop(): Promise<void>
}

/**
 * Starts a prepared server; resolves when it accepts connections. It stops when this process dies.
 *
 * @throws EmbeddedPostgresError
 */
export async function runPostgres(server: PreparedPostgres): Promise<PostgresProcess> {
  const child = execa(server.command, server.args, {
    env: server.env,
    extendEnv: false,
    // Ctrl-C at the terminal must not reach the server: its clients stop first.
    detached: true,
    stdin: 'ignore',
    stdout: 'ignore',
    buffer: false,
    reject: false,
    killSignal: server.stopSignal,
    forceKillAfterDelay: server.stopTimeoutMs,
    ...server.user,
  })
  const unwatch = child.pid === undefined ? () => {} : stopWithParent(child.pid, server.user)
  const exited = child.then(unwatch)
  let log = ''
  await new Promise<void>((resolve, reject) => {
    child.stderr.on('data', (chunk) => {
      log = (log + chunk).slice(-10_000)
      if (log.includes(server.readyText)) resolve()
    })
    exited.then(() => {
      const reason = /FATAL:.*/.exec(log)?.[0] ?? log.trim().split('\n').at(-1)
      reject(new EmbeddedPostgresError(`PostgreSQL did not start: ${reason}`))
    })
  })
  return {
    pid: child.pid,
    exited,
    stop() {
      child.kill()
      return exited
    },
  }
}
