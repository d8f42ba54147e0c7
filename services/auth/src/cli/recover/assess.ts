import type { Recovery } from '../../revocation/recoveries-store.ts'
import type { AuthInstance } from '../../verifiers/store.ts'
import { error, type Finding, ok, warning } from '../doctor/finding.ts'
import type { Server } from '../doctor/server-store.ts'

/** What the database tells about the time after a failover or a restore. */
export interface Facts {
  server: Pick<Server, 'isInRecovery' | 'isReadOnly'>
  /** The one that has been running longest first. */
  instances: readonly AuthInstance[]
  recoveries: readonly Recovery[]
  sinceHours: number
}

/** Concludes what is restored, and what is left to the operator. */
export function assess({ server, instances, recoveries, sinceHours }: Facts): Finding[] {
  if (server.isInRecovery || server.isReadOnly) {
    const text = 'The server accepts no writes, so nothing can be restored. Promote it, or connect'
    return [error('server_read_only', `${text} to the primary.`)]
  }
  if (recoveries.length === 0) return assessInstances(instances, sinceHours)
  const [sessions, lost, users] = (['sessions', 'missingSessions', 'subjects'] as const).map(
    (name) => recoveries.reduce((total, recovery) => total + recovery[name], 0),
  )
  const text = `Sessions ended again: ${sessions}. Tokens revoked again: those of ${lost} sessions`
  return [
    ...(users === 0 ? [] : [warning('users_to_check', whatToCheck)]),
    ok('revocations_restored', `${text} without a row, and of ${users} users.`),
  ]
}

/** Nothing was restored: because nothing was lost, or because no instance knew it? */
function assessInstances([oldest]: readonly AuthInstance[], sinceHours: number): Finding[] {
  if (oldest === undefined) {
    const text = 'No auth instance has reported in the last minute. If none was running during the'
    const then = `failover or the restore, nothing could be restored: ${endSessions}.`
    return [error('auth_silent', `${text} ${then}`)]
  }
  const { instance, uptimeSeconds } = oldest
  if (uptimeSeconds >= sinceHours * 3_600) {
    const text = `No revocation was lost in the last ${sinceHours} hours: ${instance} was running`
    return [ok('nothing_lost', `${text} all the time, and would have restored it.`)]
  }
  const text =
    `The auth instance that has been running longest, ${instance}, started ` +
    `${formatDuration(uptimeSeconds)} ago, and could not restore what it never knew. If the ` +
    'failover or the restore was later, pass the hours since then as --since. ' +
    `Otherwise ${endSessions}.`
  return [warning('auth_started_later', text)]
}

const endSessions = 'end all sessions: latchkey recover --end-sessions'

const whatToCheck =
  'The password, roles, scope, `disabled` or deletion of the users listed above may be lost. Search ' +
  'the log of auth for "user changed by an admin" with their IDs, and repeat those changes: PATCH ' +
  'or DELETE /v1/admin/users/<id>. After a lost change of the password the old one is valid: tell ' +
  'the user, and disable one whose password was stolen.'

/** For example `3.2 hours`. */
export const formatDuration = (seconds: number): string =>
  seconds < 3_600 ? `${Math.round(seconds / 60)} minutes` : `${(seconds / 3_600).toFixed(1)} hours`
