import { ProblemError } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'

/**
 * Admits services and refuses users. A service mints its own short-lived token with the shared key,
 * with a `sub` of `service:…`, which no user has.
 */
export async function requireService({ user }: FastifyRequest): Promise<void> {
  if (!user.sub.startsWith('service:')) {
    throw new ProblemError(
      403,
      'service_only',
      'Only services may call this route, with a service token.',
    )
  }
}
