import type { RateLimitOptions } from '@fastify/rate-limit'

/** The rate limit of a page: requests per minute of one browser that is signed in. */
export const perBrowser = (max: number): RateLimitOptions => ({
  max,
  timeWindow: 60_000,
  keyGenerator: ({ browserSessionId }) => browserSessionId ?? '',
  allowList: ({ browserSessionId }) => browserSessionId === undefined,
})
