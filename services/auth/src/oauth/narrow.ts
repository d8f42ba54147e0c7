import { effectiveScope } from '../sessions/scope.ts'
import type { Session } from '../sessions/store.ts'
import type { OAuthClient } from './clients-store.ts'
import { OAuthError } from './errors.ts'

/** A session, without what its client has lost since the user logged in. */
export const restrict = <T extends Session>(session: T, { scope, audiences }: OAuthClient): T => ({
  ...session,
  grantedScope: intersect(session.grantedScope?.split(' '), scope.split(' ')).join(' '),
  audiences: intersect(session.audiences, audiences),
})

const intersect = (granted: string[] | null | undefined, allowed: string[]): string[] =>
  (granted ?? []).filter((value) => allowed.includes(value))

/**
 * Narrows the access token of one answer: its scope (RFC 6749) and its audience (RFC 8707).
 *
 * @throws OAuthError `invalid_scope`, `invalid_target`
 */
export function narrow(
  session: Session,
  { scope, resource = [] }: { scope?: string; resource?: string | string[] },
): Session {
  const resources = [resource].flat()
  refuseOtherAudiences(resources, session.audiences ?? [])
  const grantedScope = scope ?? session.grantedScope
  const granted = effectiveScope(session).split(' ')
  if (scope !== undefined && !scope.split(' ').every((value) => granted.includes(value))) {
    throw new OAuthError('invalid_scope', 'scope is more than what was granted.')
  }
  return { ...session, grantedScope, ...(resources.length > 0 && { audiences: resources }) }
}

/** @throws OAuthError `invalid_target` */
export function refuseOtherAudiences(resources: string[], allowed: string[]): void {
  if (resources.every((value) => allowed.includes(value))) return
  throw new OAuthError('invalid_target', 'resource is not among those that were granted.')
}
