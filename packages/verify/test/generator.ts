import { claims, encode, es256, hs256, type Signing } from './tokens.ts'

/** A small seeded generator (mulberry32), so that a run can be repeated. */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
  }

  /** An integer from 0 to `end` - 1. */
  below(end: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let x = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * end)
  }

  of<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T
  }

  chance(percent: number): boolean {
    return this.below(100) < percent
  }
}

const now = Math.floor(Date.now() / 1000)

/** Texts of values: of the right type, of a wrong type, and not JSON at all. */
// biome-ignore format: a table
const VALUES = [
  '1', '-0', '1.5', '1e3', '1E-7', '1e999', '123456789012345678901234567890', '01', '.5', '+1',
  'NaN', 'true', 'false', 'null', 'undefined', '""', '"orders"', '"\\u006frders"', '"a\\"b"',
  '"\\\\"', '":"', '"\\ud83d\\ude00"', '"\\ud800"', '"\u00e9\u{1f511}"', '"\ufffd"', '"\u2028"',
  '"\\x"', '"\t"', "'a'", '[]', '["orders"]', '["orders",1]', '[["orders"]]', '[1,]', '{}',
  '{"a":1}', '{"a":1,"a":2}', '{"__proto__":1}', '[{"a":[{"b":null}]}]', String(now + 600),
  String(now + 600.25), String(now - 600), String(now + 10 ** 7), 'https://sso.example',
  '"https://sso.example"',
] as const

// biome-ignore format: a table
const NAMES = [
  'iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'sid', 'scope', 'roles', 'client_id', 'x', 'X',
  '', ':', 'a b', 'constructor', 'toString', '__proto__', '\\u0065xp', 's\\u0075b', 'length', '0',
  'cl\u00e9',
] as const

const createHeaders = ({ header, key, alg }: Signing) =>
  [
    { ...header, typ: 'AT+jwt' },
    { ...header, typ: 'application/at+jwt' },
    { kid: key.kid, typ: 'at+jwt', alg },
    { ...header, typ: 'JWT' },
    { ...header, alg: 'none' },
    { ...header, alg: 'HS384' },
    { ...header, kid: 'other' },
    { ...header, crit: ['exp'] },
    { ...header, b64: false },
    { ...header, zip: 'DEF' },
    { alg },
    { ...header, alg: alg === 'HS256' ? 'ES256' : 'HS256' },
  ].map((value) => JSON.stringify(value))
const HEADERS = new Map<Signing, string[]>(
  [hs256, es256].map((signing) => [signing, createHeaders(signing)]),
)

// biome-ignore format: a table
const PIECES = [
  '=', '==', '.', '+', '/', '-', '_', ' ', '\n', '\0', 'A', 'B', '\u0141', '\u014a', '\u00e9', '\ud800', '',
] as const

/**
 * Generates a token. Its header and claims are varied and then signed: most tokens have a right
 * signature, which exercises the rest of the verifier. Some are varied again after signing.
 */
export function generateToken(random: Random, signing: Signing): string {
  const headText = random.chance(25) ? varyHeader(random, signing) : JSON.stringify(signing.header)
  const head = encodeLoosely(random, headText)
  const body = encodeLoosely(random, varyClaims(random))
  const token = signing.signSegments(head, body)
  return random.chance(15) ? varyText(random, token) : token
}

function varyHeader(random: Random, signing: Signing): string {
  const text = random.of(HEADERS.get(signing) ?? [])
  if (random.chance(20)) return text.replace(/[:,]/g, (sign) => `${sign} `)
  if (random.chance(10)) return text.replace('{', `{"${random.of(NAMES)}":${random.of(VALUES)},`)
  return text
}

function varyClaims(random: Random): string {
  const members = Object.entries(claims()).map(
    ([name, value]) => [name, JSON.stringify(value)] as [string, string],
  )
  if (random.chance(20)) members.splice(random.below(members.length), 1)
  if (random.chance(20)) (random.of(members) as [string, string])[1] = random.of(VALUES)
  while (random.chance(40)) {
    const member: [string, string] = [random.of(NAMES), random.of(VALUES)]
    members.splice(random.below(members.length + 1), 0, member)
  }
  const space = random.chance(15) ? random.of([' ', '\n', '\t\r\n ', '\u00a0', '\f']) : ''
  const text = members
    .map(([name, value]) => `"${name}"${space}:${space}${value}`)
    .join(`,${space}`)
  const whole = `${space}{${text}}${space}`
  return random.chance(3) ? varyText(random, whole) : whole
}

function encodeLoosely(random: Random, text: string): string {
  const segment = encode(text)
  return random.chance(4) ? varyText(random, segment) : segment
}

function varyText(random: Random, text: string): string {
  const at = random.below(text.length + 1)
  return text.slice(0, at) + random.of(PIECES) + text.slice(at + random.below(3))
}
