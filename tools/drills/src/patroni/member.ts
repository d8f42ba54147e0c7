import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { signalFamily } from '@latchkey/cluster/processes/process-table'
import { type Daemon, type DaemonOptions, startDaemon } from './daemon.ts'
import { findPostgresPrograms, programs } from './programs.ts'

/** In seconds. A dead leader keeps its lock for `ttl`, and Patroni allows no shorter one. */
const timing = { ttl: 20, loop_wait: 5, retry_timeout: 5 }
/** Two instances of each service, the replication, and Patroni. */
const maxConnections = 150

interface MemberOptions extends Pick<DaemonOptions, 'user'> {
  readonly name: string
  /** Of Postgres, and of Patroni's REST API. */
  readonly port: number
  readonly apiPort: number
  /** Exists, and belongs to the user. */
  readonly folder: string
  /** Of the superuser `postgres` and of replication. */
  readonly password: string
  readonly etcdUrl: string
}

/** A Patroni and its Postgres. */
export class Member {
  readonly options: MemberOptions
  readonly #dataFolder: string
  #patroni: Daemon | undefined

  constructor(options: MemberOptions) {
    this.options = options
    this.#dataFolder = join(options.folder, options.name)
  }

  start(): void {
    this.#patroni = startDaemon({
      command: programs.patroni,
      // In YAML, of which JSON is a part.
      env: { PATRONI_CONFIGURATION: JSON.stringify(configure(this.options, this.#dataFolder)) },
      logFile: `${this.#dataFolder}.log`,
      user: this.options.user,
    })
  }

  /** Resolves when it is the leader, or a standby that commits wait for and that may be promoted. */
  async until(role: 'primary' | 'synchronous'): Promise<void> {
    await this.#patroni?.untilOk(`http://127.0.0.1:${this.options.apiPort}/${role}`)
  }

  /** Kills Patroni, its Postgres, and all sessions: none of them can send or write anything more. */
  async kill(): Promise<void> {
    await this.#patroni?.kill()
    // Postgres is not a child of Patroni, and survives it.
    const pid = this.#findPostgres()
    signalFamily(pid, 'SIGKILL')
    while (pid !== undefined && this.#findPostgres() === pid) await sleep(10)
  }

  /** The file may be older, and its process ID now another program's. */
  #findPostgres(): number | undefined {
    try {
      const [pid] = readFileSync(join(this.#dataFolder, 'postmaster.pid'), 'utf8').split('\n', 1)
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      return command.includes(this.#dataFolder) ? Number(pid) : undefined
    } catch {
      return undefined
    }
  }
}

/** The configuration of Patroni. `bootstrap` is read by the first member alone. */
function configure({ name, port, apiPort, password, etcdUrl }: MemberOptions, dataFolder: string) {
  const parameters = { wal_log_hints: 'on', max_connections: maxConnections }
  return {
    scope: 'latchkey',
    name,
    restapi: listenOn(apiPort),
    etcd3: { url: etcdUrl },
    bootstrap: {
      dcs: {
        ...timing,
        synchronous_mode: true,
        postgresql: { use_pg_rewind: true, parameters },
      },
      initdb: [{ encoding: 'UTF8' }, { locale: 'C' }],
    },
    postgresql: {
      ...listenOn(port),
      data_dir: dataFolder,
      bin_dir: findPostgresPrograms(),
      // Otherwise a new copy waits until a checkpoint has been spread over some minutes.
      basebackup: [{ checkpoint: 'fast' }],
      pgpass: `${dataFolder}.pgpass`,
      authentication: {
        superuser: { username: 'postgres', password },
        replication: { username: 'replicator', password },
      },
      parameters: { unix_socket_directories: '' },
      pg_hba: ['all', 'replication'].map((what) => `host ${what} all 127.0.0.1/32 scram-sha-256`),
    },
  }
}

const listenOn = (port: number) => ({
  listen: `127.0.0.1:${port}`,
  connect_address: `127.0.0.1:${port}`,
})
