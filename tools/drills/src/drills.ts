import { atRest } from './at-rest.ts'
import { badClients } from './bad-clients.ts'
import { clockAhead } from './clock-ahead.ts'
import { connectionsCut } from './connections-cut.ts'
import { diskFull } from './disk-full.ts'
import type { Drill } from './drill.ts'
import { failover } from './failover.ts'
import { failoverLossy } from './failover-lossy.ts'
import { loginFlood } from './login-flood.ts'
import { nothingLost } from './nothing-lost.ts'
import { patroni } from './patroni.ts'
import { postgresKilled } from './postgres-killed.ts'
// biome-ignore format: a list
import { postgresAway, postgresFrozen, postgresFull, postgresRestarted } from './postgres-outages.ts'
import { primaryReturns } from './primary-returns.ts'
import { restartRevoked } from './restart-revoked.ts'
import { edgeRestarted, kill, rollingRestart } from './restarts.ts'
import { restoredBackup } from './restored-backup.ts'
import { revocation, revocationInTrouble } from './revocation.ts'
import { algorithms, rotation } from './rotation.ts'
import { standbyAway } from './standby-away.ts'
import { twoVersions } from './two-versions.ts'

/** Every drill, in the order in which they run. */
// biome-ignore format: a list
export const drills: readonly Drill[] = [
  kill, rollingRestart, edgeRestarted,
  postgresAway, postgresRestarted, postgresFrozen, postgresFull, postgresKilled, diskFull,
  nothingLost,
  failover, failoverLossy, standbyAway, primaryReturns, restoredBackup, patroni,
  badClients, loginFlood, atRest, connectionsCut, clockAhead,
  revocation, revocationInTrouble, restartRevoked, rotation, algorithms, twoVersions,
]
