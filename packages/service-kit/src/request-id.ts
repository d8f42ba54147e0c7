import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** A request ID that is safe to log and to pass on. */
const safeRequestId = /^[\w.:-]{1,100}$/

/** The request ID that came with the request if it is safe to log, or else a new one. */
export function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const id = headers['x-request-id']
  return typeof id === 'string' && safeRequestId.test(id) ? id : newRequestId()
}

export const newRequestId = (): string => randomUUID()
