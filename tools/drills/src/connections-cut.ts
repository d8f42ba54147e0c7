import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { type Drill, noRestart, pidsOf, residentMb, scaled, seconds } from './drill.ts'
import { failuresOf, startTraffic, summary } from './traffic.ts'

/** Connections of each kind in one wave. */
const perWave = 50
/** The edge gives a head 10 s and looks every 2 s; an instance, behind it, gives a request 30 s. */
const slowHeadMs = 15_000
/** What a process may hold more afterwards than before, in MB: the garbage of a few thousand requests. */
const maxGrowthMb = 40

const head = 'POST /auth/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
/** What a client has sent when it goes. */
const cuts = [
  '',
  'POST /auth/v1/lo',
  `${head}Content-Length: 500\r\n\r\n`,
  `${head}Content-Length: 500\r\n\r\n{"email":"somebody@exam`,
  `${head}Transfer-Encoding: chunked\r\n\r\n10\r\n{"email":"s`,
  'GET /orders/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n',
]

/** Clients that go in the middle of a request, and clients that never come to the end of one. */
export const connectionsCut: Drill = {
  name: 'connections-cut',
  what: 'thousands of connections cut at every point of a request, and heads sent a byte a second, under load',
  instances: 2,
  async run({ cluster, scale, progress }) {
    const pids = pidsOf(cluster)
    const { answers, stop } = await startTraffic(cluster.url, { whoami: 4, orders: 2, refresh: 2 })
    const port = Number(new URL(cluster.url).port)
    // What is to be garbage is collected late: memory grows by up to 160 MB, and then no more.
    const warmUpWaves = scaled(80, scale)
    for (let n = 1; n <= warmUpWaves; n += 1) {
      await cutWave(port)
      progress(n, warmUpWaves, 'waves that warm up')
    }
    await sleep(1_000)
    const before = resourcesOf(cluster)
    const slow = dribble(port, perWave)
    const waves = scaled(20, scale)
    for (let n = 1; n <= waves; n += 1) {
      await cutWave(port)
      progress(n, waves, 'waves')
    }
    const longest = await slow
    await sleep(2_000)
    await stop()
    const after = resourcesOf(cluster)
    const growth = Math.max(
      ...after.map(({ residentMb }, i) => residentMb - (before[i]?.residentMb ?? 0)),
    )
    const leaked = Math.max(...after.map(({ files }, i) => files - (before[i]?.files ?? 0)))
    return [
      {
        claim: 'other clients notice nothing',
        seen: `${summary(answers)} while ${(warmUpWaves + waves) * perWave * cuts.length} connections were cut`,
        holds: answers.length > 0 && failuresOf(answers).length === 0,
      },
      {
        claim: `a head that does not come to its end is given up within ${seconds(slowHeadMs)}`,
        seen: `${perWave} connections, the longest open for ${seconds(longest)}`,
        holds: longest < slowHeadMs,
      },
      {
        claim: 'no connection is left open',
        seen:
          before.length > 0 ? `at most ${leaked} open files more than before` : 'not counted here',
        holds: leaked < perWave / 2,
      },
      {
        claim: `no process holds ${maxGrowthMb} MB more than before`,
        seen: before.length > 0 ? `at most ${growth.toFixed(0)} MB more` : 'not counted here',
        holds: growth < maxGrowthMb,
        needsQuiet: true,
      },
      noRestart(cluster, pids),
    ]
  },
}

/** Opens connections, sends the first part of a request on each, and cuts them. */
async function cutWave(port: number): Promise<void> {
  const sockets = await Promise.all(
    Array.from({ length: perWave * cuts.length }, (_, i) =>
      open(port, cuts[i % cuts.length] ?? ''),
    ),
  )
  await sleep(20)
  for (const [i, socket] of sockets.entries()) {
    // In order, by a reset, or half: each is another path through the servers.
    if (i % 3 === 0) socket.end()
    else if (i % 3 === 1) socket.resetAndDestroy()
    else socket.destroy()
  }
  await sleep(80)
  for (const socket of sockets) socket.destroy()
}

function open(port: number, text: string): Promise<Socket> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => {
      socket.write(text, () => resolve(socket))
    })
    socket.on('error', () => resolve(socket))
    socket.resume()
  })
}

/** Sends a head a byte a second on each connection. @returns how long the last stayed open, in milliseconds */
async function dribble(port: number, count: number): Promise<number> {
  const openFor = Array.from({ length: count }, async () => {
    const socket = await open(port, 'GET /orders/whoami HTTP/1.1\r\nX-Slow: ')
    const openedAt = performance.now()
    const writing = setInterval(() => socket.write('x'), 1_000)
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
    await Promise.race([closed, sleep(2 * slowHeadMs)])
    clearInterval(writing)
    socket.destroy()
    return performance.now() - openedAt
  })
  return Math.max(...(await Promise.all(openFor)))
}

/** Open files and resident memory of the edge and every instance; none where there is no /proc. */
function resourcesOf(cluster: Cluster): { files: number; residentMb: number }[] {
  if (process.platform !== 'linux') return []
  return ['edge', ...cluster.instances.map(({ name }) => name)].map((name) => {
    const pid = cluster.pid(name)
    return { files: readdirSync(`/proc/${pid}/fd`).length, residentMb: residentMb(pid) }
  })
}
