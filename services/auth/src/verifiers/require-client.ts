import { ProblemError } from '@latchkey/service-kit'
import { limits } from '@latchkey/verify'
import type { FastifyRequest } from 'fastify'
import { type Client, findClient } from '../client.ts'
import { operator } from '../keys/jwk.ts'
import { rememberAssertion } from './store.ts'

/** The service that sends a request. @throws ProblemError 403 for the token of a user */
export function readClient({ user }: FastifyRequest): Client {
  const client = findClient(user)
  if (client === undefined) {
    throw new ProblemError(403, 'service_only', 'Only services may call this route.')
  }
  return client
}

/**
 * Admits the operator's commands alone, each of their assertions once: one that was seen on its way
 * cannot be repeated (RFC 7523 section 3, point 7).
 */
export async function requireOperator(request: FastifyRequest): Promise<void> {
  const { name, kid } = readClient(request)
  if (name !== operator || kid === undefined) {
    throw new ProblemError(
      403,
      'operator_only',
      'Only the command latchkey may call this route, with a key file that has a root key.',
    )
  }
  const { jti = '', exp } = request.user
  const expiresAt = exp + limits.maxClockToleranceSeconds
  const isFirst = await rememberAssertion(request.server.db, { client: name, jti, expiresAt })
  if (!isFirst) {
    throw new ProblemError(401, 'assertion_used', 'This client assertion was used before.', {
      'www-authenticate': 'Bearer realm="latchkey", error="invalid_token"',
    })
  }
}
