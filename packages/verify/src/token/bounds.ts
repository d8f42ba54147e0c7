/**
 * Bounds that verifiers share with the auth service.
 * @example
 * ```ts
 * import { limits } from '@latchkey/verify'
 * const retentionSeconds = 3_600 + 2 * limits.maxClockToleranceSeconds
 * ```
 */
export const limits = {
  /** Default of `clockToleranceSeconds`. */
  defaultClockToleranceSeconds: 5,
  /**
   * Maximum of `clockToleranceSeconds`: a token may be accepted this long before it was issued, and
   * this long after it expires.
   */
  maxClockToleranceSeconds: 60,
  /** Lifetime of a client assertion. */
  clientAssertionSeconds: 60,
  /**
   * A service token is issued this long before its time and expires this long after, so that a wrong
   * clock does not cut a verifier off from the revocations.
   */
  serviceTokenMarginSeconds: 60,
  /** Default of `maxStaleSeconds`. */
  defaultMaxStaleSeconds: 30,
  /**
   * Maximum lifetime of a token that a feed can revoke: auth keeps a revocation for this
   * long and twice the maximum clock tolerance. Default of `maxLifetimeSeconds`.
   */
  maxRevocableLifetimeSeconds: 3_600,
  /** Maximum length of the `instance` that a poll of the revocation feed reports. */
  maxInstanceLength: 100,
  /** Maximum length of the key IDs that a poll reports: a longer URL would make the poll fail. */
  maxKidsLength: 8_000,
} as const

/**
 * The audience of the auth service's own routes.
 * @example
 * ```ts
 * import { authAudience, createVerifier } from '@latchkey/verify'
 * const verifier = createVerifier({ keys: { file: 'keys.json' }, issuer, audience: authAudience })
 * ```
 */
export const authAudience = 'latchkey:auth'

/** Default, minimum and maximum of each numeric option; the unit is in its name. */
type Bounds<Name extends string> = Readonly<
  Record<Name, readonly [preset: number, min: number, max: number]>
>

/**
 * Reads numeric options. A missing one gets its default.
 *
 * @throws TypeError when one is not a number
 * @throws RangeError when one is out of bounds
 */
export function readNumbers<Name extends string>(
  options: { readonly [name in NoInfer<Name>]?: unknown },
  bounds: Bounds<Name>,
): Record<Name, number> {
  const numbers = {} as Record<Name, number>
  for (const name in bounds) {
    const [preset, min, max] = bounds[name]
    const { [name]: value = preset } = options
    if (typeof value !== 'number') throw new TypeError(`${name} must be a number`)
    if (!(value >= min && value <= max))
      throw new RangeError(`${name} must be from ${min} to ${max}`)
    numbers[name] = value
  }
  return numbers
}
