import type { Recovery } from '../revocation/recoveries-store.ts'
import type { AuthInstance } from '../verifiers/store.ts'
import type { Finding } from './doctor/finding.ts'
import type { Server } from './doctor/server-store.ts'
import { escapeControls } from './escape.ts'
import { formatFindings } from './findings.ts'
import { formatDuration } from './recover/assess.ts'
import { formatTable } from './table.ts'

/** Everything that `latchkey recover` prints. */
export interface Report {
  server: Server
  newestRevocation: { seq: number; revokedAt: Date } | undefined
  instances: AuthInstance[]
  sinceHours: number
  recoveries: Recovery[]
  /** The users concerned. `email` is undefined for one without an account. */
  users: { id: string; email: string | undefined }[]
  findings: Finding[]
}

/** What no auth instance can restore, whatever was lost. */
const lostForGood = [
  'Sessions opened after the backup, or shortly before the failover: their clients log in again.',
  'Accounts created or deleted then: the users register again; delete the accounts again.',
  'Sessions that ended more than an hour before the restore: auth remembers one hour. After the ' +
    'restore of an older backup, run latchkey recover --end-sessions.',
  'Orders and invoices: they are in other databases, with backups of their own.',
]

/** The report with the wire's names. */
export const toJson = ({ server, newestRevocation: newest, ...report }: Report): object => ({
  server: {
    version: server.version,
    in_recovery: server.isInRecovery,
    read_only: server.isReadOnly,
    timeline: server.timeline,
  },
  newest_revocation: newest ? { seq: newest.seq, revoked_at: newest.revokedAt } : null,
  auth_instances: report.instances.map(({ instance, uptimeSeconds }) => ({
    instance,
    uptime_seconds: uptimeSeconds,
  })),
  recoveries: report.recoveries.map((recovery) => ({
    recovered_at: recovery.recoveredAt,
    instance: recovery.instance,
    sessions: recovery.sessions,
    missing_sessions: recovery.missingSessions,
    subjects: recovery.subjects,
    user_ids: recovery.userIds,
  })),
  users: report.users.map(({ id, email = null }) => ({ id, email })),
  findings: report.findings,
})

/** The report as text. */
export function formatReport({ server, newestRevocation: newest, ...report }: Report): string {
  const access = server.isInRecovery ? 'in recovery' : server.isReadOnly ? 'read-only' : 'writable'
  const instances = report.instances.map(
    ({ instance, uptimeSeconds }) => `${instance} (running for ${formatDuration(uptimeSeconds)})`,
  )
  const facts = [
    `PostgreSQL:        ${server.version}, ${access}, timeline ${server.timeline}`,
    `Newest revocation: ${newest ? `number ${newest.seq}, ${formatTime(newest.revokedAt)}` : 'none'}`,
    `Auth instances:    ${instances.join(', ') || 'none has reported in the last minute'}`,
  ]
  const recoveries = report.recoveries.map((recovery) => [
    formatTime(recovery.recoveredAt),
    recovery.instance,
    ...[recovery.sessions, recovery.missingSessions, recovery.subjects].map(String),
  ])
  const head = ['restored at', 'by', 'sessions ended', 'lost sessions revoked', 'users revoked']
  const users = report.users.map(({ id, email = 'no such account' }) => [id, email])
  return [
    facts.map(escapeControls).join('\n'),
    recoveries.length > 0 && formatTable(head, recoveries),
    users.length > 0 && formatTable(['user to check', 'e-mail address'], users),
    `What auth cannot restore:\n${lostForGood.map((line) => `- ${line}`).join('\n')}`,
    formatFindings(report.findings).trimEnd(),
  ]
    .filter((part) => part !== false)
    .join('\n\n')
    .concat('\n')
}

const formatTime = (time: Date): string =>
  `${time.toISOString().slice(0, 19).replace('T', ' ')} UTC`
