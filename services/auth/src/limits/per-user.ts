import type { RateLimitOptions } from '@fastify/rate-limit'
import { callerOf } from '../caller.ts'

/**
 * The rate limit of a route that requires a token or a browser's session: requests per minute of one
 * user.
 *
 * @param groupId the `operationId`; a page shares the limit of the JSON route that does the same
 */
export const perUser = (max: number, groupId: string): RateLimitOptions => ({
  max,
  timeWindow: 60_000,
  groupId,
  hook: 'preHandler',
  keyGenerator: (request) => callerOf(request).userId,
})
