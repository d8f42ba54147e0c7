import type { RateLimitOptions } from '@fastify/rate-limit'
import type { AuthConfig } from '../config.ts'

/**
 * The rate limit of a route that registers an account, or that mails or confirms a code: requests per
 * minute of one network.
 *
 * @param groupId the `operationId`; a page shares the limit of the JSON route that does the same
 */
export const perNetwork = (
  { LATCHKEY_REGISTER_LIMIT: max }: AuthConfig,
  groupId: string,
): RateLimitOptions => ({ max, timeWindow: 60_000, groupId })
