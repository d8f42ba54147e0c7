/** `npm run bench:verify`, second part: a Fastify route open, behind Latchkey, and behind @fastify/jwt. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { load } from './http-client.ts'
import { median } from './measure.ts'
import { report } from './report.ts'
import { makeTokens, secretText } from './tokens.ts'

const CLIENTS = 1000
const ROUNDS = 9
const SECONDS = 3

const requests = makeTokens(CLIENTS).map((token) =>
  Buffer.from(`GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`),
)
const kinds = ['open', 'latchkey', 'fastify-jwt'] as const
type Kind = (typeof kinds)[number]
const servers = new Map<Kind, { child: ChildProcess; port: number }>()
for (const kind of kinds) {
  const child = fork(new URL('http-server.ts', import.meta.url), [kind, secretText])
  const [port] = await once(child, 'message')
  servers.set(kind, { child, port })
}

const throughput: Record<Kind, number[]> = { open: [], latchkey: [], 'fastify-jwt': [] }
const processorTime: Record<Kind, number[]> = { open: [], latchkey: [], 'fastify-jwt': [] }
for (let round = 0; round <= ROUNDS; round++) {
  for (let i = 0; i < kinds.length; i++) {
    const kind = kinds[(i + round) % kinds.length] as Kind
    const result = await measureServer(kind)
    if (round === 0) continue // warming up
    throughput[kind].push(result.perSecond)
    processorTime[kind].push(result.microseconds)
    console.log(`${round}/${ROUNDS} ${kind}: ${Math.round(result.perSecond)} a second`)
  }
}
for (const { child } of servers.values()) child.disconnect()

const againstOpen = ratioOf(throughput.latchkey, throughput.open)
const againstJwt = ratioOf(throughput.latchkey, throughput['fastify-jwt'])
await report(
  'verify-http',
  'A Fastify route over HTTP',
  [
    {
      what: `throughput with tokens of ${CLIENTS} clients, against the route open`,
      result: `${(againstOpen * 100).toFixed(1)} %`,
      bar: '85 %',
      aim: '95 %',
      isMet: againstOpen >= 0.85,
    },
    {
      what: 'throughput, against @fastify/jwt as its README sets it up',
      result: `${againstJwt.toFixed(2)} ×`,
      bar: '1.4 ×',
      aim: '2 ×',
      isMet: againstJwt >= 1.4,
    },
  ],
  kinds.map((kind) => ({
    label: `${kind}, processor time a request`,
    value: median(processorTime[kind]),
    isOurs: kind === 'latchkey',
  })),
  'µs',
)

async function measureServer(kind: Kind): Promise<{ perSecond: number; microseconds: number }> {
  const { child, port } = servers.get(kind) as { child: ChildProcess; port: number }
  const before = await readProcessorTime(child)
  const perSecond = await load(port, requests, SECONDS)
  const used = (await readProcessorTime(child)) - before
  return { perSecond, microseconds: used / (perSecond * SECONDS) }
}

async function readProcessorTime(child: ChildProcess): Promise<number> {
  child.send('processor time?')
  const [microseconds] = await once(child, 'message')
  return microseconds
}

function ratioOf(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value / (b[round] as number)))
}
