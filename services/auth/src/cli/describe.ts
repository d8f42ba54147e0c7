/** What each member of the header means (RFC 7515 section 4.1). */
export function describeHeaderMember(name: string, value: unknown): string {
  switch (name) {
    case 'alg':
      return value === 'HS256' ? 'signed with HMAC-SHA-256' : 'Latchkey accepts HS256 alone'
    case 'typ':
      return value === 'at+jwt' ? 'an access token' : 'not an access token of Latchkey'
    case 'kid':
      return 'the key it was signed with'
    default:
      return 'a member that Latchkey refuses'
  }
}

const meanings: Record<string, string> = {
  iss: 'issuer: who made it',
  sub: 'subject: the user it speaks for',
  aud: 'audience: the services it opens',
  jti: 'the ID of this token',
  sid: 'the session it belongs to; ending the session revokes it',
  scope: 'what it may be used for',
  roles: 'what the user is',
}

/** What a claim means (RFC 7519 section 4.1, RFC 9068 section 2.2), with times made readable. */
export function describeClaim(name: string, value: unknown): string {
  switch (name) {
    case 'exp':
      return `expires ${describeTime(value)}`
    case 'nbf':
      return `not valid before ${describeTime(value)}`
    case 'iat':
      return `issued ${describeTime(value)}`
    default:
      return Object.hasOwn(meanings, name) ? (meanings[name] ?? '') : ''
  }
}

const units: [unit: Intl.RelativeTimeFormatUnit, seconds: number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
]

/** As `2026-11-24 10:00:00 UTC, in 12 minutes`. */
function describeTime(value: unknown): string {
  const date = new Date(Number(value) * 1_000)
  if (typeof value !== 'number' || Number.isNaN(date.getTime()))
    return 'at a time that is no number'
  const away = value - Date.now() / 1_000
  const [unit, seconds] = units.find(([, size]) => Math.abs(away) >= size) ?? ['second', 1]
  const relative = new Intl.RelativeTimeFormat('en').format(Math.round(away / seconds), unit)
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC, ${relative}`
}
