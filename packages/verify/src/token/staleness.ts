import { checkNames } from '../options/check-names.ts'
import { limits, readNumbers } from './bounds.ts'
import type { Staleness } from './types.ts'

export const STALENESS_BOUNDS = {
  maxStaleSeconds: [limits.defaultMaxStaleSeconds, 1, 86_400],
} as const

/**
 * Validates what a caller of the verifier gives beside the token. Scopes, an audience or a callback
 * there would be ignored.
 *
 * @throws TypeError or RangeError
 */
export function checkStaleness(staleness: Staleness): void {
  checkNames(staleness, 'staleness option', ['onStale', 'maxStaleSeconds'])
  checkStalenessValues(staleness)
}

/** Validates the two options, among others. Throws as `createPolicy` does. */
export function checkStalenessValues({ onStale, maxStaleSeconds }: Staleness): void {
  if (onStale !== undefined && onStale !== 'allow' && onStale !== 'deny') {
    throw new TypeError("onStale must be 'allow' or 'deny'")
  }
  readNumbers({ maxStaleSeconds }, STALENESS_BOUNDS)
}

/** The staleness options of a route, among its other requirements; `undefined` if it has none. */
export function pickStaleness({ onStale, maxStaleSeconds }: Staleness): Staleness | undefined {
  if (onStale === undefined && maxStaleSeconds === undefined) return undefined
  return {
    ...(onStale !== undefined && { onStale }),
    ...(maxStaleSeconds !== undefined && { maxStaleSeconds }),
  }
}
