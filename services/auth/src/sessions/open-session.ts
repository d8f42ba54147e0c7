import { ProblemError } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'
import { sessionEnded } from './problems.ts'
import { findRolesOfOpenSession } from './read-store.ts'

/** A hook for auth's own routes: requires that the session is open in the database now. */
export async function requireOpenSession(request: FastifyRequest): Promise<void> {
  await getCurrentRoles(request)
}

/** A hook: requires that the session is open and its user an admin, in the database now. */
export async function requireAdmin(request: FastifyRequest): Promise<void> {
  const roles = await getCurrentRoles(request)
  if (!roles.includes('admin')) {
    throw new ProblemError(403, 'role_insufficient', 'This requires the admin role.')
  }
}

async function getCurrentRoles({ server, user }: FastifyRequest): Promise<string[]> {
  const { sid, iat } = user
  const roles = sid && iat !== undefined && (await findRolesOfOpenSession(server.db, sid, iat))
  if (!roles) throw sessionEnded()
  return roles
}
