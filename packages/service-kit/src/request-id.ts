import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'

/** A request id that may be passed on: ours, an edge's, a trace's. */
const safeRequestId = /^[\w.:-]{1,100}$/

/** The id an edge gave the request, where it is fit for logs, else a new one. */
export function requestIdOf({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const id = headers['x-request-id']
  return typeof id === 'string' && safeRequestId.test(id) ? id : randomUUID()
}
