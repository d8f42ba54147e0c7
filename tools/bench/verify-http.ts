/** `npm run bench:verify`, second part: a Fastify route open, behind Latchkey, and behind @fastify/jwt. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { load } from './http-client.ts'
import { median, shuffle } from './measure.ts'
import { report } from './report.ts'
import { makeTokens, secretText } from './tokens.ts'

const CLIENTS = 1000
/** Many and short: what else the machine does comes and goes within a second. */
const ROUNDS = 60
const SECONDS = 0.4

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
for (let round = 0; round < ROUNDS + 3; round++) {
  for (const kind of shuffle(kinds)) {
    const perSecond = await load(servers.get(kind)?.port as number, requests, SECONDS)
    if (round < 3) continue // warming up
    throughput[kind].push(perSecond)
  }
  if (round % 10 === 0) console.log(`${round} of ${ROUNDS} rounds`)
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
    label: kind,
    value: Math.round(median(throughput[kind])),
    isOurs: kind === 'latchkey',
  })),
  'requests a second',
)

function ratioOf(a: readonly number[], b: readonly number[]): number {
  return median(a.map((value, round) => value / (b[round] as number)))
}
