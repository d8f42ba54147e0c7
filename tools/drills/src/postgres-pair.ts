import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PostgresServer } from './postgres-server.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

export interface PairOptions {
  /** Whether the primary acknowledges a commit only when the standby has written it. */
  readonly isSynchronous: boolean
}

/** A primary, its standby, and the proxy through which services reach the primary. */
export class PostgresPair {
  primary: PostgresServer
  standby: PostgresServer
  readonly proxy: TcpProxy

  constructor([primary, standby]: readonly [PostgresServer, PostgresServer], proxy: TcpProxy) {
    this.primary = primary
    this.standby = standby
    this.proxy = proxy
  }

  /** Connection URI of the superuser, through the proxy. */
  get url(): string {
    return Object.assign(new URL(this.primary.url), { port: this.proxy.port }).href
  }

  /** Resolves when the standby has replayed what the primary has committed. */
  async caughtUp(): Promise<void> {
    const [row] = await this.primary.query('SELECT pg_current_wal_lsn() AS lsn')
    await this.standby.until('pg_last_wal_replay_lsn() >= $1::pg_lsn', [row.lsn])
  }

  /** Cuts the standby off: what is committed later is on the primary only. */
  async stopReplication(): Promise<void> {
    await this.standby.query("ALTER SYSTEM SET primary_conninfo = ''")
    await this.standby.query('SELECT pg_reload_conf()')
    await this.primary.until('NOT EXISTS (SELECT FROM pg_stat_replication)')
  }

  /** Makes the standby the primary. The proxy still leads to the old one. */
  async promote(): Promise<void> {
    const { primary, standby } = this
    await standby.query('SELECT pg_promote()')
    this.primary = standby
    this.standby = primary
  }

  async stop(): Promise<void> {
    this.proxy.stop()
    await Promise.all([this.primary.stop(), this.standby.stop()])
  }
}

/**
 * Starts two servers in a temporary folder.
 *
 * @returns the servers, and what stops and removes them. Both also stop when this process dies.
 */
export async function startPostgresPair({ isSynchronous }: PairOptions) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-pair-'))
  await chmod(folder, 0o711) // As root, the servers run as another user.
  const password = randomBytes(24).toString('base64url')
  const prepare = (name: string) => PostgresServer.prepare(join(folder, name), password)
  const servers = [await prepare('a'), await prepare('b')] as const
  const pair = new PostgresPair(servers, await startTcpProxy())
  const remove = () => pair.stop().then(() => rm(folder, { recursive: true }))
  try {
    const { primary, standby, proxy } = pair
    await primary.start()
    await standby.follow(primary)
    if (isSynchronous) {
      // Not in the copy: a promoted standby must not wait for another.
      await primary.query("ALTER SYSTEM SET synchronous_standby_names = 'standby'")
      await primary.query('SELECT pg_reload_conf()')
      await primary.until("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')")
    }
    proxy.switchTo(primary.port)
    return { pair, remove }
  } catch (err) {
    await remove()
    throw err
  }
}
