import { createRefusal, type Refused } from './token/error.ts'
import { checkStaleness } from './token/policy.ts'
import type { Claims, Role, Scope, Staleness } from './token/types.ts'

const SCOPE = createRefusal('scope_insufficient', 'scope')
const ROLES = createRefusal('scope_insufficient', 'roles')

/**
 * What a route requires in addition to a valid token.
 * @example
 * ```ts
 * import type { Requirements } from '@latchkey/verify/fetch'
 * const writing: Requirements = { scopes: ['orders:write'], roles: ['admin'], onStale: 'deny' }
 * ```
 */
export interface Requirements extends Staleness {
  /** Scope values that the token must have, all of them. */
  readonly scopes?: readonly Scope[]
  /** Roles that the token must have, all of them. */
  readonly roles?: readonly Role[]
}

/** Checks that claims have the scopes and roles that a route requires. */
export function authorize(claims: Claims, { scopes, roles }: Requirements): Refused | undefined {
  if (scopes !== undefined && scopes.length > 0) {
    const granted = ` ${claims.scope ?? ''} `
    for (const scope of scopes) if (!granted.includes(` ${scope} `)) return SCOPE
  }
  if (roles !== undefined) {
    for (const role of roles) if (!claims.roles?.includes(role)) return ROLES
  }
  return undefined
}

/**
 * Checks requirements when a route is added.
 *
 * @throws TypeError when scopes (RFC 6749 section 3.3) or roles are not an array of names
 */
export function checkRequirements({ scopes, roles, ...staleness }: Requirements): void {
  checkStaleness(staleness)
  for (const [name, values] of Object.entries({ scopes, roles })) {
    if (values === undefined) continue
    const isName = (value: unknown) => typeof value === 'string' && value !== ''
    if (Array.isArray(values) && values.every(isName)) continue
    throw new TypeError(`${name} must be an array of non-empty strings`)
  }
  if (scopes?.some((scope) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))) {
    throw new TypeError('each scope must be a single scope value, without spaces')
  }
}
