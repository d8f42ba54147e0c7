import { DatabaseError } from 'pg'

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
  /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered a connection error)/

/** SQLSTATEs of a server that cannot serve: connection, resources, shutdown, timeout, deadlock. */
const unavailableStates = /^(08|53|57P|57014|58|25P03|40P01)/

/** Whether an error means that the database is unreachable, full or too slow. */
export function isDatabaseUnavailable(err: unknown): boolean {
  if (err instanceof DatabaseError) return unavailableStates.test(err.code ?? '')
  if (!(err instanceof Error)) return false
  if (err instanceof AggregateError) return err.errors.some(isDatabaseUnavailable)
  const { code } = err as NodeJS.ErrnoException
  return (code !== undefined && socketErrors.has(code)) || driverMessages.test(err.message)
}
