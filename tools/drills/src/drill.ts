import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import type { PatroniServers } from './patroni/servers.ts'
import type { PairOptions, PostgresPair } from './postgres-pair.ts'

/** A failure that is caused on purpose, and the claims that have to hold meanwhile. */
export interface Drill {
  /** Its name on the command line: `revocation`. */
  readonly name: string
  /** What it does, in one sentence. */
  readonly description: string
  /** Instances of each service; 2 by default. */
  readonly instances?: number
  /** Settings of the services that differ from the defaults. */
  readonly env?: NodeJS.ProcessEnv
  /** Why it cannot run on this machine, if it cannot. */
  obstacle?(): string | undefined
  /** Prepares a data folder for the cluster, which otherwise gets a temporary one. */
  dataFolder?(): Promise<{ readonly path: string; release(): Promise<void> }>
  /** Runs the cluster on a primary and its standby, instead of the embedded server. */
  readonly pair?: PairOptions
  /** Runs the cluster on a Patroni cluster of Debian's packages. */
  readonly patroni?: true
  run(context: Context): Promise<Finding[]>
}

export interface Context {
  readonly cluster: Cluster
  /** The servers of a drill with `pair`. */
  readonly pair?: PostgresPair | undefined
  /** The servers of a drill with `patroni`. */
  readonly patroni?: PatroniServers | undefined
  /** 1 runs the whole drill; less shortens it, for a test. */
  readonly scale: number
  /** Shows at the terminal how far the drill is. */
  progress(done: number, total: number, what: string): void
}

/** A claim, and what was seen. */
export interface Finding {
  readonly claim: string
  readonly seen: string
  readonly holds: boolean
  /** A figure of speed or memory, which is meaningless while the machine does other work. */
  readonly needsQuiet?: true
}

/** The servers of a drill that has asked for them. */
export function pairOf({ pair }: Context): PostgresPair {
  if (!pair) throw new Error('This drill does not set `pair`.')
  return pair
}

/** Scales a count, to at least one. */
export const scaled = (count: number, scale: number): number =>
  Math.max(1, Math.round(count * scale))

/** Does something a scaled number of times and shows its progress. */
export async function repeat(
  { scale, progress }: Context,
  count: number,
  what: string,
  work: (n: number, isLast: boolean) => Promise<unknown>,
): Promise<void> {
  const total = scaled(count, scale)
  for (let n = 0; n < total; n += 1) {
    progress(n, total, what)
    await work(n, n === total - 1)
  }
}

/** The value below which the given share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

export const formatSeconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`

/** The process of every instance. */
export const pidsOf = ({ instances, pid }: Cluster) => instances.map(({ name }) => pid(name))

/** Resident memory of a process in MB, on Linux. */
export function residentMb(pid: number | undefined): number {
  const [, kib] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return (Number(kib) * 1_024) / 1e6
}

/** Kills a process; resolves when its successor serves. */
export async function killAndAwaitRestart(
  cluster: Cluster,
  name: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  const pid = cluster.pid(name)
  cluster.kill(name, signal)
  while (cluster.pid(name) === pid || !cluster.isUp(name)) await sleep(10)
}
