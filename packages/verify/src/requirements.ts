import { type Refused, refusal } from './token/error.ts'
import { checkStaleness } from './token/policy.ts'
import type { Claims, Role, Scope, Staleness } from './token/types.ts'

const SCOPE = refusal('scope_insufficient', 'scope')
const ROLES = refusal('scope_insufficient', 'roles')

/** What a route asks for in addition to a good token. */
export interface Requirements extends Staleness {
  /** Scope values that the token has to hold, all of them. */
  readonly scopes?: readonly Scope[]
  /** Roles that the token has to hold, all of them. */
  readonly roles?: readonly Role[]
}

/** Checks that claims hold what a route asks for. */
export function authorize(claims: Claims, { scopes, roles }: Requirements): Refused | undefined {
  if (scopes !== undefined && scopes.length > 0) {
    const held = ` ${claims.scope ?? ''} `
    for (const scope of scopes) if (!held.includes(` ${scope} `)) return SCOPE
  }
  if (roles !== undefined) {
    for (const role of roles) if (!claims.roles?.includes(role)) return ROLES
  }
  return undefined
}

/**
 * Checks requirements while a route is being set up.
 *
 * @throws TypeError when one is no array of scope values (RFC 6749 section 3.3) or roles
 */
export function checkRequirements({ scopes, roles, ...staleness }: Requirements): void {
  checkStaleness(staleness)
  for (const [name, values] of Object.entries({ scopes, roles })) {
    if (values === undefined) continue
    if (
      !Array.isArray(values) ||
      values.some((value) => typeof value !== 'string' || value === '')
    ) {
      throw new TypeError(`${name} must be an array of strings`)
    }
  }
  if (scopes?.some((scope) => !/^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))) {
    throw new TypeError('each of scopes must be one scope value')
  }
}
