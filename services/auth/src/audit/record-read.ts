import { isUuid } from '@latchkey/service-kit'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { describeEvent } from './describe-event.ts'
import { insertEvent } from './store.ts'

/** A `preHandler` hook: records that an admin or the operator reads what others may not. */
export async function recordRead(request: FastifyRequest): Promise<void> {
  if (request.method !== 'GET') return
  await insertEvent(request.server.db, describeEvent(request), subjectOf(request))
}

/** An `onError` hook: records what an admin or the operator was refused. */
export async function recordRefusal(
  request: FastifyRequest,
  _reply: FastifyReply,
  error: FastifyError,
): Promise<void> {
  const { statusCode = 500, code } = error
  // Without a valid token anybody could fill the log, and a failed service has no room to write. 401:
  // an assertion was repeated, or the session is not open; every service can sign a token for any.
  if (!request.user || statusCode === 401 || statusCode >= 500) return
  const event = describeEvent(request, { result: 'refused', detail: { code } })
  await insertEvent(request.server.db, event, subjectOf(request))
}

function subjectOf({ params }: FastifyRequest): string | null {
  const { id = '' } = (params ?? {}) as { id?: string }
  return isUuid(id) ? id : null
}
