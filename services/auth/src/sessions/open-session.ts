import { ProblemError } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { findRoles } from './store.ts'

/** The token holds, but its session has ended: nothing but a new login helps. */
export const sessionEnded = () =>
  new ProblemError(401, 'token_revoked', 'This session has ended. Log in again.', {
    'www-authenticate': 'Bearer error="invalid_token"',
  })

/** A hook for the auth service's own routes: the session is open, in the database, now. */
export async function requireOpenSession(request: FastifyRequest): Promise<void> {
  await rolesNow(request)
}

/** A hook: the session is open, and its user is an admin, in the database, now. */
export async function requireAdmin(request: FastifyRequest): Promise<void> {
  const roles = await rolesNow(request)
  if (!roles.includes('admin')) {
    throw new ProblemError(403, 'role_insufficient', 'This takes the role admin.')
  }
}

async function rolesNow({ server, user }: FastifyRequest): Promise<string[]> {
  const { sid, iat } = user
  const roles = sid && iat !== undefined && (await findRoles(server.db, sid, iat))
  if (!roles) throw sessionEnded()
  return roles
}
