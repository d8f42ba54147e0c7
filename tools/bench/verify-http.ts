/** `npm run bench -- verify`, part two: a Fastify route open, behind Latchkey, behind @fastify/jwt. */
import { fileURLToPath } from 'node:url'
import autocannon from 'autocannon'
import { execaNode } from 'execa'
import { compare, type Measurement, measure, median } from './measure.ts'
import { atLeast, report } from './report.ts'
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

const kinds = ['open', 'latchkey', 'fastify-jwt']
const script = fileURLToPath(import.meta.resolve('./http-server.ts'))
const servers = kinds.map((kind) =>
  execaNode(script, [kind, secretText], { ipc: true, reject: false }),
)
const urls = await Promise.all(servers.map((server) => server.getOneMessage()))
const subjects = kinds.map((kind, i) => [kind, load(String(urls[i]))] as const)
const samples = await measure(Object.fromEntries(subjects), rounds, 3)
for (const server of servers) server.kill()

const againstJwt = compare(samples, 'latchkey', 'fastify-jwt')
await report({
  name: 'verify-http',
  title: 'A Fastify route over HTTP',
  method: `Load by autocannon: ${connections} connections, ${seconds} s a round.`,
  measures: [
    atLeast(
      `throughput with tokens of ${requests.length} clients, against the route open`,
      compare(samples, 'latchkey', 'open'),
      85,
    ),
    {
      what: 'throughput, against @fastify/jwt as its README sets it up',
      result: `${againstJwt.toFixed(2)} ×`,
      bar: '1.4 ×',
      isMet: againstJwt >= 1.4,
    },
  ],
  panels: {
    throughput: kinds.map((kind) => ({
      label: kind,
      value: Math.round(median(samples.get(kind))),
      isOurs: kind === 'latchkey',
    })),
  },
  unit: 'requests a second',
})
