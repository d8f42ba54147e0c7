import { checkNames } from './options/check-names.ts'
import { createRefusal, type Refused } from './token/error.ts'
import { checkStalenessValues } from './token/staleness.ts'
import type { Claims, Role, Scope, Staleness } from './token/types.ts'

const SCOPE = createRefusal('scope_insufficient', 'scope')
const ROLE = createRefusal('role_insufficient', 'roles')

const NAMES = ['scopes', 'roles', 'onStale', 'maxStaleSeconds']

/** Names that somebody may write for a requirement. Each is an error for the compiler. */
type Misspelt = {
  readonly [name in 'scope' | 'role' | 'Scope' | 'Scopes' | 'Role' | 'Roles' | 'onstale']?: never
}

/**
 * What a route requires in addition to a valid token.
 * @example
 * ```ts
 * import type { Requirements } from '@latchkey/verify/fetch'
 * const writing: Requirements = { scopes: ['orders:write'], roles: ['admin'], onStale: 'deny' }
 * ```
 */
export interface Requirements extends Staleness, Misspelt {
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
    for (const role of roles) if (!claims.roles?.includes(role)) return ROLE
  }
  return undefined
}

/**
 * Checks requirements when a route is added.
 *
 * @throws TypeError when one is unknown or not an array of names (RFC 6749 section 3.3 for scopes)
 * @throws RangeError when `maxStaleSeconds` is out of bounds
 */
export function checkRequirements(requirements: Requirements): void {
  checkNames(requirements, 'requirement', NAMES)
  checkStalenessValues(requirements)
  for (const name of ['scopes', 'roles'] as const) {
    // A member that is undefined is refused too: it may be the value of a misspelt constant.
    if (name in requirements && !isNames(requirements[name])) {
      throw new TypeError(`${name} must be an array of non-empty strings`)
    }
  }
  if (requirements.scopes?.some((scope) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))) {
    throw new TypeError('each scope must be a single scope value, without spaces')
  }
}

function isNames(values: unknown): boolean {
  const isName = (value: unknown) => typeof value === 'string' && value !== ''
  return Array.isArray(values) && values.every(isName)
}
