import { setTimeout as sleep } from 'node:timers/promises'
import { readAmongBadClients, startReaders, type Target } from '@latchkey/test-kit/bad-clients'
import { countValues, type Timing } from '@latchkey/test-kit/load'
import { type Drill, type Finding, percentile } from './drill.ts'
import { formatCounts } from './findings.ts'

const limitMs = { median: 50, noticed: 4_000, frozen: 1_000, waiting: 5_000 }

/** Sends bad requests through an edge, and checks that they cost other clients nothing. */
export async function runBadClients(target: Target, scale: number): Promise<Finding[]> {
  const { answers, badRequests } = await readAmongBadClients(target, 10 * scale)
  const median = percentile(answers.map(latency), 0.5)
  return [
    {
      claim: 'no request of another client fails',
      seen: `${describe(answers)} among ${badRequests} bad requests`,
      holds: answers.length > 0 && answers.every(isOk),
    },
    {
      claim: `another client waits less than ${limitMs.median} ms, in the median`,
      seen: `${median.toFixed(1)} ms; longest ${Math.max(...answers.map(latency)).toFixed(0)} ms`,
      holds: median < limitMs.median,
      needsQuiet: true,
    },
  ]
}

export const badClients: Drill = {
  name: 'bad-clients',
  description: 'broken, slow and oversized requests, four a second; then a frozen instance',
  async run({ cluster, scale }) {
    const target = { url: new URL(`${cluster.url}/orders/livez`) }
    const findings = await runBadClients(target, scale)
    const early = startReaders(target)
    await sleep(500)
    cluster.freeze('orders-1')
    await sleep(limitMs.noticed)
    const late = startReaders(target)
    await sleep(2_000)
    await late.stop()
    cluster.thaw('orders-1')
    await early.stop()
    const [waited, longest] = [early, late].map(({ answers }) => Math.max(...answers.map(latency)))
    return [
      ...findings,
      {
        claim: `a frozen instance gets no request after ${limitMs.noticed / 1_000} s`,
        seen: `${describe(late.answers)}, longest ${longest?.toFixed(0)} ms`,
        holds: late.answers.length > 0 && Number(longest) < limitMs.frozen,
      },
      {
        claim: `another instance answers the reads that it got, within ${limitMs.waiting / 1_000} s`,
        seen: `${describe(early.answers)}, longest ${waited?.toFixed(0)} ms`,
        holds: Number(waited) < limitMs.waiting && early.answers.every(isOk),
        needsQuiet: true,
      },
    ]
  },
}

const isOk = ({ status }: { status: number }) => status === 200

const latency = ({ askedAt, answeredAt }: Timing) => answeredAt - askedAt

const describe = (answers: readonly { status: number }[]) =>
  formatCounts(countValues(answers.map(({ status }) => status || 'no answer')))
