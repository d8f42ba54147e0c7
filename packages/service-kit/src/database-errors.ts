import { DatabaseError } from 'pg'

/**
 * SQLSTATE classes of a mistake in a statement or in a value (PostgreSQL, appendix A). They are
 * bugs: schemas check what clients send. Every other class describes the server, its configuration
 * or a conflict with another transaction, and a later attempt may succeed.
 */
const bugClasses = /^(03|09|0[BFZ]|2[0-47BDF]|3[489B]|42|44|54|P0)/

/**
 * The exceptions in class 42: a missing privilege, table, column, function, type or unique index,
 * because a migration or a grant is missing; and a prepared statement that a pooler has mixed up.
 */
const schemaStates = /^42(501|P01|703|883|704|P10|P05)$/

/**
 * Whether text could not be stored. Requests are checked before; what is left is a token's subject,
 * which may be any text, since every service can sign one.
 */
export const isUnstorableText = (err: unknown): boolean =>
  err instanceof DatabaseError && err.code === '22021'

/**
 * A change that is committed on the server, but that no synchronous standby has confirmed in time.
 * A failover may lose it. A client that repeats the request learns whether it is confirmed by then.
 */
export class UnconfirmedCommitError extends Error {
  override name = 'UnconfirmedCommitError'

  constructor() {
    super('the change is committed, but no synchronous standby has confirmed it')
  }
}

/** Errors of the socket, not of the statement. */
const socketErrors = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
])

/** Messages of `pg` and `pg-pool` for a lost or slow server. These errors have no code. */
const driverMessages =
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client (has encountered a connection error|was closed))/

const failedConnects = new WeakSet<Error>()

/** Marks the error of a connection that could not be opened, such as one of TLS. */
export function markFailedConnect(err: Error): Error {
  failedConnects.add(err)
  return err
}

/**
 * Whether an error means that the database cannot serve now: it is unreachable, refuses this role,
 * is read-only, full or too slow, or lacks a migration.
 */
export function isDatabaseUnavailable(err: unknown): boolean {
  if (!(err instanceof Error)) return false
  if (failedConnects.has(err)) return true
  if (err instanceof DatabaseError) {
    const { code = '' } = err
    return !bugClasses.test(code) || schemaStates.test(code)
  }
  if (err instanceof AggregateError) return err.errors.some(isDatabaseUnavailable)
  const { code } = err as NodeJS.ErrnoException
  return (code !== undefined && socketErrors.has(code)) || driverMessages.test(err.message)
}

/** The error of a read on a server that is read-only: what it returns may be out of date. */
export const readOnlyServer = (): DatabaseError =>
  Object.assign(new DatabaseError('the server is read-only', 0, 'error'), { code: '25006' })

/**
 * Whether the server accepts no writes, such as a standby. A standby refuses unlogged tables with
 * 0A000 before it notices the write.
 */
export function isReadOnlyServer(err: unknown): boolean {
  return err instanceof DatabaseError && (err.code === '25006' || err.code === '0A000')
}

/** @returns the setting to change, if an error is typical of a wrong one */
export function adviceFor(err: unknown): string | undefined {
  if (!(err instanceof DatabaseError)) return undefined
  const { code = '', message } = err
  const isPooler = /^(26000|42P05)$/.test(code) || /startup parameter/.test(message)
  return isPooler
    ? 'a pooler is in front of the database: set LATCHKEY_DATABASE_POOLER=transaction'
    : undefined
}

/** Describes why the database is unavailable. The messages of the server contain no secret. */
export function describeDatabaseError(err: unknown): string {
  const { code, message } = err as { code?: string; message?: string }
  const cause = err instanceof DatabaseError ? `: ${message}` : code ? ` (${code})` : `: ${message}`
  const advice = adviceFor(err)
  return `the database cannot be reached${cause}${advice ? `; ${advice}` : ''}`
}
