import { readdirSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { type Drill, formatSeconds, pidsOf, repeat, residentMb, scaled } from './drill.ts'
import { noneFails, noRestart } from './findings.ts'
import { underTraffic } from './traffic.ts'

const warmUpWaves = 80
const waves = 20
/** Connections of each kind in one wave, and connections that send slowly. */
const perWave = 50
/** The edge allows 10 s for a head and checks every 2 s; an instance behind it allows 30 s. */
const slowHeadMs = 15_000
/** How much the memory of a process may grow: the garbage of a few thousand requests. */
const maxGrowthMb = 40

const head = 'POST /auth/v1/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
/** What a client sends before it cuts the connection. */
const fragments = [
  '',
  'POST /auth/v1/lo',
  `${head}Content-Length: 500\r\n\r\n`,
  `${head}Content-Length: 500\r\n\r\n{"email":"somebody@exam`,
  `${head}Transfer-Encoding: chunked\r\n\r\n10\r\n{"email":"s`,
  'GET /orders/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n',
]

export const connectionsCut: Drill = {
  name: 'connections-cut',
  description: 'connections cut at every point of a request, and headers sent slowly, under load',
  obstacle: () => (process.platform === 'linux' ? undefined : 'needs Linux, to count open files'),
  async run(context) {
    const { cluster, scale } = context
    const pids = pidsOf(cluster)
    const port = Number(new URL(cluster.url).port)
    const clients = { whoami: 4, orders: 2, refresh: 2 }
    const { answers, result } = await underTraffic(cluster.url, clients, async () => {
      // V8 collects late: memory first grows by up to 160 MB, then stays.
      await repeat(context, warmUpWaves, 'warm-up waves', () => cutWave(port))
      await sleep(1_000)
      const before = resourcesOf(cluster)
      const slow = sendSlowHeads(port, perWave)
      await repeat(context, waves, 'waves', () => cutWave(port))
      const longestMs = await slow
      await sleep(2_000)
      return { before, longestMs }
    })
    const { before, longestMs } = result
    const after = resourcesOf(cluster)
    const growthOf = (resource: 'files' | 'residentMb') =>
      Math.max(...after.map((now, i) => now[resource] - (before[i]?.[resource] ?? 0)))
    const [files, mb] = [growthOf('files'), growthOf('residentMb')]
    const cut = (scaled(warmUpWaves, scale) + scaled(waves, scale)) * perWave * fragments.length
    return [
      noneFails('no request of another client fails', answers, `; ${cut} connections were cut`),
      {
        claim: `a connection with incomplete headers is closed within ${formatSeconds(slowHeadMs)}`,
        seen: `${perWave} connections, the longest open for ${formatSeconds(longestMs)}`,
        holds: longestMs < slowHeadMs,
      },
      {
        claim: 'no connection is left open',
        seen: `at most ${files} open files more than before`,
        holds: files < perWave / 2,
      },
      {
        claim: `no process grows by ${maxGrowthMb} MB`,
        seen: `at most ${mb.toFixed(0)} MB more`,
        holds: mb < maxGrowthMb,
        needsQuiet: true,
      },
      noRestart(cluster, pids),
    ]
  },
}

/** Opens connections, sends the first part of a request on each, and cuts them. */
async function cutWave(port: number): Promise<void> {
  const sockets = await Promise.all(
    Array.from({ length: perWave * fragments.length }, (_, i) =>
      open(port, fragments[i % fragments.length] ?? ''),
    ),
  )
  await sleep(20)
  for (const [i, socket] of sockets.entries()) {
    // Each takes another path through the servers.
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

/** Sends headers at one byte per second. @returns milliseconds until the last connection closed */
async function sendSlowHeads(port: number, count: number): Promise<number> {
  const openFor = Array.from({ length: count }, async () => {
    const socket = await open(port, 'GET /orders/whoami HTTP/1.1\r\nX-Slow: ')
    const openedAt = performance.now()
    const closed = new Promise((resolve) => socket.once('close', resolve))
    const writing = setInterval(() => socket.write('x'), 1_000)
    await Promise.race([closed, sleep(2 * slowHeadMs)])
    clearInterval(writing)
    socket.destroy()
    return performance.now() - openedAt
  })
  return Math.max(...(await Promise.all(openFor)))
}

/** Open files and memory of the edge and every instance. */
const resourcesOf = (cluster: Cluster) =>
  ['edge', ...cluster.instances.map(({ name }) => name)].map((name) => {
    const pid = cluster.pid(name)
    return { files: readdirSync(`/proc/${pid}/fd`).length, residentMb: residentMb(pid) }
  })
