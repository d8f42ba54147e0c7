const algorithms = new Map<unknown, string>([
  ['HS256', 'signed with HMAC-SHA-256, under a secret'],
  ['ES256', 'signed with ECDSA on P-256, with a private key'],
])

/** Describes a member of the header (RFC 7515 section 4.1). */
export function describeHeaderMember(name: string, value: unknown): string {
  switch (name) {
    case 'alg':
      return algorithms.get(value) ?? 'Latchkey accepts only HS256 and ES256'
    case 'typ':
      return value === 'at+jwt' ? 'an access token' : 'not a Latchkey access token'
    case 'kid':
      return 'the ID of the key that signed it'
    default:
      return 'Latchkey refuses tokens with this member'
  }
}

const meanings: Record<string, string> = {
  iss: 'issuer: the service that issued it',
  sub: 'subject: the user it identifies',
  aud: 'audience: the services that accept it',
  jti: 'the ID of this token',
  sid: 'the session it belongs to; ending the session revokes it',
  scope: 'what it may be used for',
  roles: "the user's roles",
}

/** Describes a claim (RFC 7519 section 4.1, RFC 9068 section 2.2), with its time made readable. */
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

/** For example `2026-11-24 10:00:00 UTC, in 12 minutes`. */
function describeTime(value: unknown): string {
  const date = new Date(Number(value) * 1_000)
  if (typeof value !== 'number' || Number.isNaN(date.getTime())) return '(not a valid timestamp)'
  const fromNow = value - Date.now() / 1_000
  const [unit, seconds] = units.find(([, size]) => Math.abs(fromNow) >= size) ?? ['second', 1]
  const relative = new Intl.RelativeTimeFormat('en').format(Math.round(fromNow / seconds), unit)
  return `${date.toISOString().slice(0, 19).replace('T', ' ')} UTC, ${relative}`
}
