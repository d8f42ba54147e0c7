import { appendFile, chown, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { signalFamily } from '@latchkey/cluster/processes/process-table'
import {
  type PostgresProcess,
  type PreparedPostgres,
  preparePostgres,
  runPostgres,
} from '@latchkey/embedded-postgres'
import { execa } from 'execa'
import { Client } from 'pg'

/** Two instances of each service, the replication, and the drill itself. */
const maxConnections = 150

/** An embedded Postgres server with durable commits, always at the same address. */
export class PostgresServer {
  readonly folder: string
  readonly #prepared: PreparedPostgres
  #process: PostgresProcess | undefined

  private constructor(folder: string, prepared: PreparedPostgres) {
    this.folder = folder
    this.#prepared = prepared
  }

  /** Prepares a server; creates the data folder if there is none. */
  static async prepare(folder: string, password: string): Promise<PostgresServer> {
    const options = { folder, password, maxConnections, durable: true }
    return new PostgresServer(folder, await preparePostgres(options))
  }

  /** Connection URI of the superuser. */
  get url(): string {
    return this.#prepared.url
  }

  get port(): number {
    return Number(new URL(this.url).port)
  }

  /** Resolves when it accepts connections. */
  async start(): Promise<void> {
    this.#process = await runPostgres(this.#prepared)
  }

  async stop(): Promise<void> {
    this.thaw()
    await this.#process?.stop()
    this.#process = undefined
  }

  /** Kills it with all its sessions: none of them can send or write anything more. */
  async kill(): Promise<void> {
    // A session that saw its server die would still tell its client.
    this.freeze()
    signalFamily(this.#process?.pid, 'SIGKILL')
    await this.#process?.exited
    this.#process = undefined
  }

  /** Suspends it with all its sessions. Their connections stay open. */
  freeze(): void {
    signalFamily(this.#process?.pid, 'SIGSTOP')
  }

  thaw(): void {
    signalFamily(this.#process?.pid, 'SIGCONT')
  }

  /** Runs a statement as the superuser. @returns its rows */
  query(text: string, values: unknown[] = [], database = 'postgres') {
    return this.#connected(async (client) => (await client.query(text, values)).rows, database)
  }

  /** Asks until a condition is true. */
  async until(condition: string, values: unknown[] = []): Promise<void> {
    const deadline = Date.now() + 60_000
    for (;;) {
      const [row] = await this.query(`SELECT (${condition}) AS "isTrue"`, values)
      if (row.isTrue) return
      if (Date.now() > deadline) throw new Error(`Postgres does not reach ${condition}.`)
      await sleep(50)
    }
  }

  /**
   * Copies the running server, as pg_basebackup does, which the embedded programs lack. A server
   * can be started on the copy.
   */
  async backUp(folder: string): Promise<void> {
    const label = `${folder}/backup_label`
    await this.#connected(async (client) => {
      await client.query("SELECT pg_backup_start('drill', true)")
      await copy(this.folder, folder)
      const { rows } = await client.query('SELECT labelfile FROM pg_backup_stop(false)')
      await writeFile(label, rows[0].labelfile, { mode: 0o600 })
    })
    const { user } = this.#prepared
    if (user) await chown(label, user.uid, user.gid)
    // The copy becomes consistent by the log that was written meanwhile.
    await copy(`${this.folder}/pg_wal/.`, `${folder}/pg_wal`)
    await rm(`${folder}/postmaster.pid`)
  }

  /** Starts this server as a standby of another one, on a new copy of its data. */
  async follow(primary: PostgresServer): Promise<void> {
    await rm(this.folder, { recursive: true })
    await primary.backUp(this.folder)
    const source = `primary_conninfo = '${primary.url}?application_name=standby'\n`
    await appendFile(`${this.folder}/postgresql.auto.conf`, source)
    await writeFile(`${this.folder}/standby.signal`, '')
    await this.start()
    await primary.until("EXISTS (SELECT FROM pg_stat_replication WHERE state = 'streaming')")
  }

  async #connected<T>(work: (client: Client) => Promise<T>, database = 'postgres'): Promise<T> {
    const { href } = Object.assign(new URL(this.url), { pathname: `/${database}` })
    const client = new Client({ connectionString: href, connectionTimeoutMillis: 10_000 })
    client.on('error', () => {})
    await client.connect()
    return work(client).finally(() => client.end())
  }
}

/** Copies with owners. A running server may remove a file meanwhile; its log makes up for that. */
async function copy(from: string, to: string): Promise<void> {
  const { failed, stderr, shortMessage } = await execa('cp', ['-a', from, to], { reject: false })
  const isMissing = (line: string) => line.includes('No such file or directory')
  if (failed && !stderr?.split('\n').every(isMissing)) throw new Error(shortMessage)
}
