/** `npm run bench:verify`, second part: a Fastify route open, behind Latchkey, and behind @fastify/jwt. */
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { execaNode } from 'execa'
import { type Measurement, measure, median, medianRatio } from './measure.ts'
import { report } from './report.ts'
import { makeTokens, secretText } from './tokens.ts'

const connections = 50
const tokensPerConnection = 20
/** Many and short: other work of the machine often lasts less than a second. */
const rounds = 30
const seconds = 1

const requests = makeTokens(connections * tokensPerConnection).map((token) => ({
  headers: { authorization: `Bearer ${token}` },
}))

/** Measures requests per second. */
const load =
  (url: string): Measurement =>
  async () => {
    let next = 0
    const { duration, mismatches, errors, ...result } = await autocannon({
      url,
      connections,
      duration: seconds,
      expectBody: '{"hello":"world"}',
      setupClient(client) {
        client.setRequests(requests.slice(next, next + tokensPerConnection))
        next += tokensPerConnection
      },
    })
    if (mismatches + errors > 0) throw new Error(`${mismatches + errors} requests failed.`)
    return result['2xx'] / duration
  }

const kinds = ['open', 'latchkey', 'fastify-jwt'] as const
const script = fileURLToPath(import.meta.resolve('./http-server.ts'))
const servers = kinds.map((kind) =>
  execaNode(script, [kind, secretText], { ipc: true, reject: false }),
)
const loads = servers.map(async (server) => load((await server.getOneMessage()) as string))
const [open, latchkey, fastifyJwt] = await Promise.all(loads)
const samples = await measure({ open, latchkey, 'fastify-jwt': fastifyJwt }, rounds, 3)
for (const server of servers) server.kill()

const againstOpen = medianRatio(samples, 'latchkey', 'open')
const againstJwt = medianRatio(samples, 'latchkey', 'fastify-jwt')
await report({
  name: 'verify-http',
  title: 'A Fastify route over HTTP',
  method: `Load by autocannon: ${connections} connections, ${seconds} s a round.`,
  measures: [
    {
      what: `throughput with tokens of ${requests.length} clients, against the route open`,
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
  bars: kinds.map((kind) => ({
    label: kind,
    value: Math.round(median(samples.get(kind))),
    isOurs: kind === 'latchkey',
  })),
  unit: 'requests a second',
})
