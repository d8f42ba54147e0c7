import { setTimeout as sleep } from 'node:timers/promises'
import { readAmongBadClients, startReaders, type Target } from '@latchkey/test-kit/bad-clients'
import { countValues, type Timing } from '@latchkey/test-kit/load'
import { type Drill, type Finding, percentile } from './drill.ts'
import { formatCounts } from './findings.ts'

const limitMs = { median: 50, noticed: 4_000, frozen: 1_000 }

/** Sends bad requests through an edge, and checks that they cost other clients nothing. */
export async function runBadClients(target: Target, scale: number): Promise<Finding[]> {
  const { answers, badRequests } = await readAmongBadClients(target, 10 * scale)
  const failed = answers.filter(({ status }) => status !== 200)
  const median = percentile(answers.map(latency), 0.5)
  return [
    {
      claim: 'no request of another client fails',
      seen: `${describe(answers)} among ${badRequests} bad requests`,
      holds: answers.length > 0 && failed.length === 0,
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
    const waiting = early.answers.filter((answer) => latency(answer) > limitMs.noticed / 2)
    const longest = Math.max(...late.answers.map(latency))
    return [
      ...findings,
      {
        claim: `a frozen instance gets no request after ${limitMs.noticed / 1_000} s`,
        seen:
          `${waiting.length} requests waited for it; ` +
          `later ${describe(late.answers)}, longest ${longest.toFixed(0)} ms`,
        holds: late.answers.length > 0 && longest < limitMs.frozen,
      },
    ]
  },
}

const latency = ({ askedAt, answeredAt }: Timing) => answeredAt - askedAt

const describe = (answers: readonly { status: number }[]) =>
  formatCounts(countValues(answers.map(({ status }) => status || 'no answer')))
