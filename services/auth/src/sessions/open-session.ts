import { ProblemError } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { isOpen } from './store.ts'

/** The token holds, but its session has ended: nothing but a new login helps. */
export const sessionEnded = () =>
  new ProblemError(401, 'token_revoked', 'This session has ended. Log in again.', {
    'www-authenticate': 'Bearer error="invalid_token"',
  })

/** A hook for the auth service's own routes, which are at the database anyway: the session is open. */
export async function requireOpenSession({ server, user }: FastifyRequest): Promise<void> {
  if (user.sid === undefined || !(await isOpen(server.db, user.sid))) throw sessionEnded()
}
