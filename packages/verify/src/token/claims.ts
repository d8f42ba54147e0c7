import { createRefusal, type Refused } from './error.ts'
import type { Policy } from './policy.ts'
import type { Claims, Staleness } from './types.ts'

const EXPIRED = createRefusal('token_expired', 'exp')
const NBF_AHEAD = createRefusal('token_not_yet_valid', 'nbf')
const IAT_AHEAD = createRefusal('token_not_yet_valid', 'iat')
const ISSUER = createRefusal('token_issuer', 'iss')
const AUDIENCE = createRefusal('token_audience', 'aud')
const REVOKED = createRefusal('token_revoked')
const STALE = createRefusal('revocations_stale')
const wrong = (claim: string) => createRefusal('token_claim', claim)
// biome-ignore format: a table
const WRONG = {
  iss: wrong('iss'), sub: wrong('sub'), aud: wrong('aud'), exp: wrong('exp'), nbf: wrong('nbf'),
  iat: wrong('iat'), jti: wrong('jti'), sid: wrong('sid'), client_id: wrong('client_id'),
  scope: wrong('scope'), roles: wrong('roles'),
}

/**
 * Checks what does not depend on the time: types of all registered claims, issuer and audience.
 *
 * Not checked: whether `sub`, `sid` or a role exist.
 *
 * @param isAccessToken the type is `at+jwt`, for which RFC 9068 section 2.2 requires a subject
 */
export function checkClaims(
  claims: Readonly<Record<string, unknown>>,
  policy: Policy,
  isAccessToken: boolean,
): Refused | undefined {
  const { iss, sub, aud, exp, nbf, iat, jti, sid, client_id, scope, roles } = claims
  if (!Number.isFinite(exp)) return WRONG.exp
  if (nbf !== undefined && !Number.isFinite(nbf)) return WRONG.nbf
  if (iat !== undefined && !Number.isFinite(iat)) return WRONG.iat
  if (!isOptionalString(iss)) return WRONG.iss
  if (!(isOptionalString(sub) && (sub !== undefined || !isAccessToken))) return WRONG.sub
  if (!isOptionalString(aud) && !isStrings(aud)) return WRONG.aud
  if (!isOptionalString(jti)) return WRONG.jti
  if (!isOptionalString(sid)) return WRONG.sid
  if (!isOptionalString(client_id)) return WRONG.client_id
  if (!isOptionalString(scope)) return WRONG.scope
  if (roles !== undefined && !isStrings(roles)) return WRONG.roles
  if (iss === undefined || !policy.issuers.has(iss)) return ISSUER
  if (policy.audiences !== undefined && !includesAny(aud, policy.audiences)) return AUDIENCE
  return undefined
}

/**
 * Checks the time of a token.
 *
 * @param claims claims that `checkClaims` accepted
 * @param nowSeconds seconds since 1970, with fractions
 */
export function checkTime(claims: Claims, policy: Policy, nowSeconds: number): Refused | undefined {
  const { exp, nbf, iat } = claims
  const { clockToleranceSeconds, maxLifetimeSeconds } = policy
  if (nowSeconds >= exp + clockToleranceSeconds) return EXPIRED
  if (nbf !== undefined && nbf > nowSeconds + clockToleranceSeconds) return NBF_AHEAD
  if (iat === undefined) {
    // Its age is unknown: it may be older than everything the feed remembers.
    if (policy.isForgetful) return WRONG.iat
    if (exp - nowSeconds > maxLifetimeSeconds + clockToleranceSeconds) return WRONG.exp
  } else {
    if (iat > nowSeconds + clockToleranceSeconds) return IAT_AHEAD
    if (exp - iat > maxLifetimeSeconds) return WRONG.exp
  }
  return undefined
}

/**
 * Checks whether a token was revoked, and whether the revocations are recent enough to tell.
 *
 * @param knownGoodAt the version of the revocations at which the token was found not revoked
 * @param staleness options of the route, which take precedence over the policy
 */
export function checkRevocation(
  claims: Claims,
  policy: Policy,
  knownGoodAt: number | undefined,
  staleness: Staleness | undefined,
): Refused | undefined {
  const { revocations } = policy
  // A route that refuses stale revocations cannot be served by a verifier that has none.
  if (revocations === undefined) return staleness?.onStale === 'deny' ? STALE : undefined
  if (revocations.version !== knownGoodAt && revocations.isRevoked(claims)) return REVOKED
  if ((staleness?.onStale ?? policy.onStale) === 'allow') return undefined
  const maxStaleSeconds = staleness?.maxStaleSeconds ?? policy.maxStaleSeconds
  return revocations.ageSeconds <= maxStaleSeconds ? undefined : STALE
}

function isOptionalString(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}

function isStrings(value: unknown): value is string[] {
  if (!Array.isArray(value)) return false
  for (const element of value) if (typeof element !== 'string') return false
  return true
}

function includesAny(aud: string | string[] | undefined, audiences: ReadonlySet<string>): boolean {
  if (aud === undefined) return false
  if (typeof aud === 'string') return audiences.has(aud)
  for (const name of aud) if (audiences.has(name)) return true
  return false
}
