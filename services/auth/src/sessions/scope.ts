/** What decides the scope of a session's tokens. */
export interface Scopes {
  /** What the user may do now. */
  userScope: string
  /** What was granted to the session of an app; `null`: all that the user may do. */
  grantedScope: string | null
}

/** Values that concern only what an app learns about its user (OpenID Connect Core section 5.4). */
export const openidScopes: readonly string[] = ['openid', 'profile', 'email']

/** The scope of a session's tokens: an app gets what it was granted and the user still has. */
export function effectiveScope({ userScope, grantedScope }: Scopes): string {
  if (grantedScope === null) return userScope
  const possible = [...userScope.split(' '), ...openidScopes]
  return grantedScope
    .split(' ')
    .filter((value) => possible.includes(value))
    .join(' ')
}
