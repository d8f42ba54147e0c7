import { randomBytes } from 'node:crypto'
import { chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findServerUser } from '@latchkey/embedded-postgres'
import getPort from 'get-port'
import { startDaemon } from './daemon.ts'
import { Member } from './member.ts'
import { programs } from './programs.ts'

/** The two members of a Patroni cluster behind HAProxy. */
export interface PatroniServers {
  /** Connection URI of the superuser, through HAProxy. */
  readonly url: string
  leader: Member
  standby: Member
}

/**
 * Starts etcd, two members and HAProxy in a temporary folder.
 *
 * @returns the servers, and what kills and removes them. They also stop when this process dies.
 */
export async function startPatroni() {
  const user = findServerUser(() => {})
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-patroni-'))
  const running: { kill(): Promise<void> }[] = []
  const remove = async () => {
    await Promise.all(running.map((each) => each.kill()))
    await rm(folder, { recursive: true })
  }
  const start = async (command: string, args: readonly string[], healthUrl: string) => {
    const daemon = startDaemon({ command, args, logFile: join(folder, 'others.log'), user })
    running.push(daemon)
    await daemon.untilOk(healthUrl)
  }
  try {
    if (user) await chown(folder, user.uid, user.gid)
    const etcdUrl = `http://127.0.0.1:${await getFreePort()}`
    await start(programs['etcd-server'], etcdFlags(folder, etcdUrl), `${etcdUrl}/health`)
    const password = randomBytes(24).toString('base64url')
    const create = async (name: string) => {
      const ports = { port: await getFreePort(), apiPort: await getFreePort() }
      return new Member({ name, ...ports, folder, password, etcdUrl, user })
    }
    const [leader, standby] = [await create('a'), await create('b')]
    running.push(leader, standby)
    leader.start()
    await leader.until('primary')
    standby.start()
    const [port, healthPort] = [await getFreePort(), await getFreePort()]
    const file = join(folder, 'haproxy.cfg')
    await writeFile(file, proxyConfig([leader, standby], port, healthPort), { mode: 0o644 })
    await start(programs.haproxy, ['-db', '-f', file], `http://127.0.0.1:${healthPort}/`)
    const url = `postgres://postgres:${password}@127.0.0.1:${port}/postgres`
    return { servers: { url, leader, standby }, remove }
  } catch (err) {
    await remove()
    throw err
  }
}

const getFreePort = (): Promise<number> => getPort({ host: '127.0.0.1' })

const etcdFlags = (folder: string, url: string) => [
  `--data-dir=${join(folder, 'etcd')}`,
  `--listen-client-urls=${url}`,
  `--advertise-client-urls=${url}`,
  '--listen-peer-urls=http://127.0.0.1:0', // It has no peer.
]

/** As docs/guides/when-postgres-fails.md shows it, with an address that tells whether it is ready. */
const proxyConfig = (members: readonly Member[], port: number, healthPort: number) => `
defaults
    timeout connect 2s
    timeout client 1h
    timeout server 1h
listen postgres
    bind 127.0.0.1:${port}
    option httpchk OPTIONS /primary
    http-check expect status 200
    default-server inter 1s fall 2 rise 1 on-marked-down shutdown-sessions
${members.map(({ options: { name, port, apiPort } }) => `    server ${name} 127.0.0.1:${port} check port ${apiPort}`).join('\n')}
frontend health
    mode http
    bind 127.0.0.1:${healthPort}
    monitor-uri /
    # Before the first check, HAProxy uses both.
    monitor fail if !{ nbsrv(postgres) eq 1 }
`
