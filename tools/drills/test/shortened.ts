import type { Test } from 'tap'
import type { Drill, Finding } from '../src/drill.ts'
import { drills } from '../src/drills.ts'

/** How much of each drill the tests run; `npm run drill` runs all of it. */
export const scales: Record<string, number> = {
  kill: 0.35,
  'rolling-restart': 0.5,
  'edge-restarted': 0.2,
  'postgres-away': 0.1,
  'postgres-restarted': 0.2,
  'postgres-frozen': 0.1,
  'postgres-full': 0.2,
  'postgres-killed': 0.1,
  'disk-full': 0.3,
  'nothing-lost': 0.2,
  'bad-clients': 0.3,
  'login-flood': 0.1,
  'at-rest': 0.05,
  'connections-cut': 0.05,
  'clock-ahead': 1,
  revocation: 0.1,
  'revocation-in-trouble': 0.1,
  'restart-revoked': 0.1,
  rotation: 0.1,
  algorithms: 0.1,
  'two-versions': 1,
  failover: 0.1,
  'failover-lossy': 0.06,
  'standby-away': 0.2,
  'primary-returns': 0.25,
  'restored-backup': 0.06,
  patroni: 0.1,
}

/**
 * Drills that can run one after another on one cluster, by its number of instances of each service.
 */
export const sharing = Map.groupBy(
  drills.filter((drill) => !needsOwnCluster(drill)),
  // A drill for one instance also runs with two.
  ({ instances = 2 }) => Math.max(2, instances),
)
export const apart = drills.filter(
  (drill) => needsOwnCluster(drill) && !drill.pair && !drill.patroni,
)
/** Drills with a standby of one kind. Files of tests run in parallel and have a time limit. */
export const onPair = (isSynchronous: boolean) =>
  drills.filter(({ pair }) => pair?.isSynchronous === isSynchronous)

function needsOwnCluster({ env, dataFolder, pair, patroni }: Drill): boolean {
  return [env, dataFolder, pair, patroni].some((own) => own !== undefined)
}

/** Speed and memory need only be measured: other tests run on this machine meanwhile. */
export function judge(t: Test, findings: readonly Finding[]): void {
  t.ok(findings.length > 0)
  for (const { claim, seen, holds, needsQuiet } of findings) {
    if (needsQuiet) t.match(seen, /^(?!.*NaN).*\d/, claim)
    else t.ok(holds, `${claim}: ${seen}`)
  }
}
