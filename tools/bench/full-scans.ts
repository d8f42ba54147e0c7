import type { Scan } from '@latchkey/test-kit/plans'
import type { Statement } from '@latchkey/test-kit/statements'

/** Tables that do not grow with the users, and why. */
const smallTables: Readonly<Record<string, string>> = {
  verifiers: 'a row for each process that verifies tokens',
  signing_keys: 'a row for each key of the last days',
  revocations_seq: 'a sequence',
  clients: 'a row for each app that people sign in to',
  recoveries: 'a row for each failover of the last 90 days',
}

/** Statements that read all of a table, and why. */
const fullReads: Readonly<Record<string, string>> = {
  countOpenSessions: 'counts all sessions, for `latchkey recover --end-sessions`',
  countMail: 'counts the outbox: the mail of the last 24 hours, and what failed in 7 days',
  deleteExpiredRevocations: 'reads the revocations of the last minute',
}

/** Whether a statement may read the whole table. */
export const mayReadAll = ({ name }: Statement, { table }: Scan): boolean =>
  Object.hasOwn(smallTables, table) || Object.hasOwn(fullReads, name)

/** What may be read as a whole, with the reasons, as a list in Markdown. */
export const describeFullReads = (): string =>
  Object.entries({ ...smallTables, ...fullReads })
    .map(([name, reason]) => `- \`${name}\`: ${reason}`)
    .join('\n')
