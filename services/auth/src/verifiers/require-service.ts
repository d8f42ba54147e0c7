import { ProblemError } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'

/**
 * Lets services pass and users not: services mint their own short-lived token under the shared key,
 * with a `sub` of `service:…` that no user has.
 */
export async function requireService({ user }: FastifyRequest): Promise<void> {
  if (!user.sub.startsWith('service:')) {
    throw new ProblemError(403, 'service_only', 'This is for services, with a token of their own.')
  }
}
