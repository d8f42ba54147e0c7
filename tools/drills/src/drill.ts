import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'

/** A failure, brought about on purpose, and what has to hold all the same. */
export interface Drill {
  /** As on the command line: `revocation`. */
  readonly name: string
  /** What is done, in a sentence. */
  readonly what: string
  /** Instances of each service it needs. */
  readonly instances: number
  /** Settings of the services that differ from the defaults. */
  readonly env?: NodeJS.ProcessEnv
  /** Why it cannot be played here, if so: an operating system that lacks something. */
  obstacle?(): string | undefined
  /** Gives the cluster a data folder of its own kind. */
  dataFolder?(): Promise<{ readonly path: string; release(): Promise<void> }>
  run(stage: Stage): Promise<Finding[]>
}

/** Where a drill is played. */
export interface Stage {
  readonly cluster: Cluster
  /** How much of it: 1 is the whole, less a shorter run for a test. */
  readonly scale: number
  /** Tells a person at the terminal how far it is. */
  progress(done: number, of: number, what: string): void
}

/** One thing that was to hold, and what was seen. */
export interface Finding {
  readonly claim: string
  readonly seen: string
  readonly holds: boolean
  /** A figure of speed or memory, which other work on the same machine spoils. */
  readonly needsQuiet?: true
}

/** A part of a whole number, at least one. */
export const scaled = (count: number, scale: number): number =>
  Math.max(1, Math.round(count * scale))

/** The value below which the given share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN
}

/** The process of every instance. */
export const pidsOf = ({ instances, pid }: Cluster) => instances.map(({ name }) => pid(name))

/** That every instance is still the process it was. */
export function noRestart(cluster: Cluster, before: readonly (number | undefined)[]): Finding {
  const after = pidsOf(cluster)
  const restarted = cluster.instances.filter((_, i) => after[i] !== before[i])
  return {
    claim: 'no process is restarted',
    seen: restarted.map(({ name }) => name).join(', ') || '0 restarts',
    holds: restarted.length === 0,
  }
}

/** Resident memory of a process, in MB. Linux alone shows it so. */
export function residentMb(pid: number | undefined): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return (Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) * 1_024) / 1e6
}

export const seconds = (ms: number) => `${(ms / 1_000).toFixed(2)} s`

/** Kills a process; resolves when its successor serves. */
export async function killAndAwait(
  cluster: Cluster,
  name: string,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<void> {
  const pid = cluster.pid(name)
  cluster.kill(name, signal)
  while (cluster.pid(name) === pid || !cluster.isUp(name)) await sleep(10)
}
