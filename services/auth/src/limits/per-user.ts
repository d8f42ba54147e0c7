import type { RateLimitOptions } from '@fastify/rate-limit'

/** The rate limit of a route that requires a token: requests per minute of one user. */
export const perUser = (max: number): RateLimitOptions => ({
  max,
  timeWindow: 60_000,
  hook: 'preHandler',
  keyGenerator: ({ user }) => user.sub,
})
