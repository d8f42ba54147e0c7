import { limits } from '@latchkey/verify'

/**
 * How long a revocation is remembered, in seconds: the longest lifetime an access token can be
 * configured to (not today's: a token of yesterday's configuration may still live), and the largest
 * clock tolerance a verifier can have.
 */
export const rememberSeconds = 3_600 + limits.maxClockToleranceSeconds
