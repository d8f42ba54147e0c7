import t from 'tap'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier, type TokenErrorCode } from '../src/index.ts'
import { claims, claimsWith, encode, header, key, policy, sign, signSegments } from './tokens.ts'

/** What is wrong, a token with that wrong and no other, the code expected, the rule. */
type Row = [what: string, token: unknown, code: TokenErrorCode, rule: string, claim?: string]

const now = Math.floor(Date.now() / 1000)
const good = sign()
const [head = '', body = '', signature = ''] = good.split('.')
const otherSecret = Buffer.alloc(32, Buffer.from('another secret of 32 random byte'))
const withHeader = (others: object) => sign({ ...header, ...others })
const withClaims = (others: Record<string, unknown>) => sign(header, claims(others))
/** A segment whose last character has unused bits set. */
const looseEnd = (segment: string) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return segment.slice(0, -1) + alphabet[alphabet.indexOf(segment.at(-1) ?? '') + 1]
}
/** Claims whose encoding has unused bits: their length is no multiple of three. */
const oddBody = [claims(), claims({ x: 1 }), claims({ x: 12 })]
  .map((value) => encode(value))
  .find((segment) => segment.length % 4 !== 0) as string
const nested = (depth: number) => `"x":${'['.repeat(depth)}${']'.repeat(depth)}`

const MISSING = 'RFC 6750 3'
const COMPACT = 'RFC 7515 7.1'
const BASE64URL = 'RFC 7515 2, RFC 4648 3'
const JSON_TEXT = 'RFC 7519 7.2, RFC 8259'
const DUPLICATE = 'RFC 7515 4, RFC 7519 4'
const HEADER = 'RFC 7515 4.1, RFC 8725 3'
const MAC = 'RFC 7515 5.2'
const TYPE = 'RFC 7519 4.1'

const refused: Row[] = [
  ['no token', undefined, 'token_missing', MISSING],
  ['null', null, 'token_missing', MISSING],
  ['an object', { toString: () => good }, 'token_missing', MISSING],
  ['an empty token', '', 'token_missing', MISSING],

  ['one segment', 'garbage', 'token_malformed', COMPACT],
  ['two segments', `${head}.${body}`, 'token_malformed', COMPACT],
  ['four segments', `${good}.${signature}`, 'token_malformed', COMPACT],
  ['five segments, as JWE', `${head}..${body}.${body}.${signature}`, 'token_malformed', COMPACT],
  ['an empty header', signSegments('', body), 'token_malformed', COMPACT],
  ['empty claims', signSegments(head, ''), 'token_malformed', COMPACT],
  ['no signature', `${head}.${body}.`, 'token_signature', MAC],
  ['only dots', '..', 'token_malformed', COMPACT],
  ['JSON serialisation', JSON.stringify({ payload: body, signature }), 'token_malformed', COMPACT],
  ['a space in front', ` ${good}`, 'token_malformed', COMPACT],
  ['a line break behind', `${good}\n`, 'token_malformed', COMPACT],
  [
    'more than 8,192 characters',
    withClaims({ x: 'x'.repeat(6200) }),
    'token_malformed',
    'DESIGN 5',
  ],
  ['more than 16,383 characters', 'x'.repeat(20_000), 'token_malformed', 'DESIGN 5'],

  [
    'a padded header',
    signSegments(`${encode({ ...header, kid: '1' })}=`, body),
    'token_malformed',
    BASE64URL,
  ],
  [
    'padded claims',
    signSegments(head, `${encode(claims({ x: 1 }))}=`),
    'token_malformed',
    BASE64URL,
  ],
  ['a padded signature', `${good}=`, 'token_malformed', BASE64URL],
  [
    'the alphabet of base64 in claims',
    signSegments(head, encode(claims({ x: '???>>>' })).replace(/[-_]/g, '+')),
    'token_malformed',
    BASE64URL,
  ],
  [
    'a slash in claims',
    signSegments(head, encode(claims({ x: '???>>>' })).replace(/[-_]/g, '/')),
    'token_malformed',
    BASE64URL,
  ],
  [
    'the alphabet of base64 in a signature',
    `${head}.${body}.${'+'.repeat(43)}`,
    'token_malformed',
    BASE64URL,
  ],
  [
    'a space in claims',
    signSegments(head, `${body.slice(0, 8)} ${body.slice(8)}`),
    'token_malformed',
    BASE64URL,
  ],
  [
    'four line breaks in claims',
    signSegments(head, `${body.slice(0, 8)}\n\n\n\n${body.slice(8)}`),
    'token_malformed',
    BASE64URL,
  ],
  ['an impossible length', signSegments(head, `${encode('{}x')}A`), 'token_malformed', BASE64URL],
  [
    'unused bits set in claims',
    signSegments(head, looseEnd(oddBody)),
    'token_malformed',
    BASE64URL,
  ],
  [
    'unused bits set in a signature',
    `${head}.${body}.${looseEnd(signature)}`,
    'token_malformed',
    BASE64URL,
  ],
  [
    'a character beyond ASCII in claims',
    signSegments(head, `${body.slice(0, -4)}\u0141AAA`),
    'token_malformed',
    BASE64URL,
  ],
  [
    'a character that is one byte beyond ASCII',
    signSegments(head, `${body.slice(0, -4)}\u00e9AAA`),
    'token_malformed',
    BASE64URL,
  ],
  [
    'a character beyond ASCII in the header',
    `${head.slice(0, -4)}\u0141AAA.${body}.${signature}`,
    'token_malformed',
    BASE64URL,
  ],
  ['NUL in claims', signSegments(head, `${body.slice(0, -4)}\0AAA`), 'token_malformed', BASE64URL],

  [
    'claims that are not UTF-8',
    sign(
      header,
      Buffer.concat([
        Buffer.from(claimsWith('"x":"').slice(0, -1)),
        Buffer.from([0xff]),
        Buffer.from('"}'),
      ]),
    ),
    'token_malformed',
    JSON_TEXT,
  ],
  [
    'overlong UTF-8',
    sign(
      header,
      Buffer.concat([
        Buffer.from(claimsWith('"x":"').slice(0, -1)),
        Buffer.from([0xc0, 0xaf]),
        Buffer.from('"}'),
      ]),
    ),
    'token_malformed',
    JSON_TEXT,
  ],
  [
    'a surrogate in UTF-8',
    sign(
      header,
      Buffer.concat([
        Buffer.from(claimsWith('"x":"').slice(0, -1)),
        Buffer.from([0xed, 0xa0, 0x80]),
        Buffer.from('"}'),
      ]),
    ),
    'token_malformed',
    JSON_TEXT,
  ],
  [
    'an unpaired surrogate, escaped',
    sign(header, claimsWith('"x":"\\ud800"')),
    'token_malformed',
    'RFC 7493 2.1',
  ],
  [
    'a byte order mark',
    sign(header, `\ufeff${JSON.stringify(claims())}`),
    'token_malformed',
    'RFC 8259 8.1',
  ],
  ['claims that are no JSON', sign(header, 'Not JSON'), 'token_malformed', JSON_TEXT],
  [
    'claims cut off',
    sign(header, JSON.stringify(claims()).slice(0, -1)),
    'token_malformed',
    JSON_TEXT,
  ],
  [
    'text after the claims',
    sign(header, `${JSON.stringify(claims())}{}`),
    'token_malformed',
    JSON_TEXT,
  ],
  ['a trailing comma', sign(header, claimsWith('"x":1,')), 'token_malformed', JSON_TEXT],
  [
    'a control character in a string',
    sign(header, claimsWith('"x":"\t"')),
    'token_malformed',
    JSON_TEXT,
  ],
  ['single quotes', sign(header, claimsWith("'x':1")), 'token_malformed', JSON_TEXT],
  ['NaN', sign(header, claimsWith('"x":NaN')), 'token_malformed', JSON_TEXT],
  ['a wrong escape', sign(header, claimsWith('"x":"\\x41"')), 'token_malformed', JSON_TEXT],
  ['a leading zero', sign(header, claimsWith('"\\u0078":01')), 'token_malformed', JSON_TEXT],
  ['claims that are an array', sign(header, [claims()]), 'token_malformed', JSON_TEXT],
  ['claims that are a string', sign(header, '"claims"'), 'token_malformed', JSON_TEXT],
  ['claims that are a number', sign(header, '1'), 'token_malformed', JSON_TEXT],
  ['claims that are null', sign(header, 'null'), 'token_malformed', JSON_TEXT],
  ['a claim twice', sign(header, claimsWith('"sub":"root"')), 'token_malformed', DUPLICATE],
  [
    'a claim twice, the value no string',
    sign(header, claimsWith('"exp":9999999999')),
    'token_malformed',
    DUPLICATE,
  ],
  [
    'a claim twice, once escaped',
    sign(header, claimsWith('"s\\u0075b":"root"')),
    'token_malformed',
    DUPLICATE,
  ],
  [
    'a claim twice, spaces before its colon',
    sign(header, claimsWith('"sub" :"root"')),
    'token_malformed',
    DUPLICATE,
  ],
  [
    'a claim twice, a value that looks like a member',
    sign(header, claimsWith('"sub":":x"')),
    'token_malformed',
    DUPLICATE,
  ],
  [
    'a nested member twice',
    sign(header, claimsWith('"x":{"y":1,"y":2}')),
    'token_malformed',
    DUPLICATE,
  ],
  [
    'a nested member twice, in an array',
    sign(header, claimsWith('"x":[{"y":1,"y":"\\u0031"}]')),
    'token_malformed',
    DUPLICATE,
  ],
  [
    '__proto__ in claims',
    sign(header, claimsWith('"__proto__":{"roles":["admin"]}')),
    'token_malformed',
    'DESIGN 5',
  ],
  [
    '__proto__ in claims, escaped',
    sign(header, claimsWith('"__pr\\u006fto__":1')),
    'token_malformed',
    'DESIGN 5',
  ],
  [
    '__proto__ nested',
    sign(header, claimsWith('"x":[{"__proto__":1}]')),
    'token_malformed',
    'DESIGN 5',
  ],
  ['nesting of 65', sign(header, claimsWith(nested(64))), 'token_malformed', 'RFC 8259 9'],
  [
    'nesting of 65 and an escape',
    sign(header, claimsWith(`"\\u0079":1,${nested(64)}`)),
    'token_malformed',
    'RFC 8259 9',
  ],
  ['nesting of 2,900', sign(header, claimsWith(nested(2900))), 'token_malformed', 'RFC 8259 9'],

  [
    'a header that is no JSON',
    `${encode('Not JSON')}.${body}.${signature}`,
    'token_malformed',
    HEADER,
  ],
  [
    'a header that is not UTF-8',
    `${encode(Buffer.from([0x7b, 0xff, 0x7d]))}.${body}.${signature}`,
    'token_malformed',
    HEADER,
  ],
  ['a header that is an array', sign([header]), 'token_malformed', HEADER],
  [
    'alg none, unsigned',
    `${encode({ ...header, alg: 'none' })}.${body}.`,
    'token_algorithm',
    'RFC 8725 3.1',
  ],
  ['alg none, signed', withHeader({ alg: 'none' }), 'token_algorithm', 'RFC 8725 3.1'],
  ['alg None', `${encode({ ...header, alg: 'None' })}.${body}.`, 'token_algorithm', 'RFC 8725 3.1'],
  ['alg in lower case', withHeader({ alg: 'hs256' }), 'token_algorithm', 'RFC 7515 4.1.1'],
  ['alg HS512', withHeader({ alg: 'HS512' }), 'token_algorithm', 'RFC 8725 3.1'],
  ['alg RS256', withHeader({ alg: 'RS256' }), 'token_algorithm', 'RFC 8725 2.1'],
  ['no alg', withHeader({ alg: undefined }), 'token_algorithm', 'RFC 7515 4.1.1'],
  ['alg an array', withHeader({ alg: ['HS256'] }), 'token_algorithm', 'RFC 7515 4.1.1'],
  [
    'alg twice',
    sign(JSON.stringify(header).replace('{', '{"alg":"none",')),
    'token_malformed',
    DUPLICATE,
  ],
  ['crit', withHeader({ crit: ['exp'], exp: 1 }), 'token_malformed', 'RFC 7515 4.1.11'],
  ['b64', withHeader({ b64: false }), 'token_malformed', 'RFC 7797 3'],
  ['zip', withHeader({ zip: 'DEF' }), 'token_malformed', HEADER],
  [
    'jwk',
    withHeader({ jwk: { kty: 'oct', k: 'AAAA' } }),
    'token_malformed',
    'RFC 7515 4.1.3, RFC 8725 3.10',
  ],
  [
    'jku',
    withHeader({ jku: 'https://evil.example/keys' }),
    'token_malformed',
    'RFC 7515 4.1.2, RFC 8725 3.10',
  ],
  [
    'x5u',
    withHeader({ x5u: 'https://evil.example/cert' }),
    'token_malformed',
    'RFC 7515 4.1.5, RFC 8725 3.10',
  ],
  ['cty', withHeader({ cty: 'JWT' }), 'token_malformed', HEADER],
  [
    '__proto__ in the header',
    sign(JSON.stringify(header).replace('{', '{"__proto__":{},')),
    'token_malformed',
    'DESIGN 5',
  ],
  ['typ JWT', withHeader({ typ: 'JWT' }), 'token_type', 'RFC 8725 3.11'],
  ['typ of a refresh token', withHeader({ typ: 'rt+jwt' }), 'token_type', 'RFC 8725 3.11'],
  ['typ of another media type', withHeader({ typ: 'text/at+jwt' }), 'token_type', 'RFC 7515 4.1.9'],
  ['no typ', withHeader({ typ: undefined }), 'token_type', 'RFC 8725 3.11'],
  ['an empty typ', withHeader({ typ: '' }), 'token_type', 'RFC 8725 3.11'],
  ['typ a number', withHeader({ typ: 1 }), 'token_malformed', 'RFC 7515 4.1.9'],
  ['typ null', withHeader({ typ: null }), 'token_malformed', 'RFC 7515 4.1.9'],
  ['an unknown kid', withHeader({ kid: 'other' }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid __proto__', withHeader({ kid: '__proto__' }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid constructor', withHeader({ kid: 'constructor' }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid a path', withHeader({ kid: '../../dev/null' }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  [
    'kid in another case',
    withHeader({ kid: `${key.kid} ` }),
    'token_unknown_key',
    'RFC 7515 4.1.4',
  ],
  ['no kid', withHeader({ kid: undefined }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid a number', withHeader({ kid: 1 }), 'token_malformed', 'RFC 7515 4.1.4'],
  ['kid null', withHeader({ kid: null }), 'token_malformed', 'RFC 7515 4.1.4'],

  ['another secret', sign(header, claims(), otherSecret), 'token_signature', MAC],
  ['an empty secret', sign(header, claims(), Buffer.alloc(0)), 'token_signature', MAC],
  [
    'other claims',
    `${head}.${encode(claims({ sub: 'root' }))}.${signature}`,
    'token_signature',
    MAC,
  ],
  [
    'another header',
    `${encode({ kid: key.kid, typ: 'at+jwt', alg: 'HS256' })}.${body}.${signature}`,
    'token_signature',
    MAC,
  ],
  ['a signature too short', good.slice(0, -3), 'token_signature', MAC],
  ['a signature too long', `${good}AAAA`, 'token_signature', MAC],
  ['a signature of zeros', `${head}.${body}.${'A'.repeat(43)}`, 'token_signature', MAC],
  [
    'bad claims under a bad signature: the signature decides',
    `${head}.${encode('Not JSON')}.${signature}`,
    'token_signature',
    MAC,
  ],

  [
    'expired',
    withClaims({ exp: now - 6, iat: now - 900 }),
    'token_expired',
    'RFC 7519 4.1.4',
    'exp',
  ],
  ['no exp', withClaims({ exp: undefined }), 'token_claim', 'RFC 9068 2.2', 'exp'],
  ['exp a string', withClaims({ exp: String(now + 900) }), 'token_claim', TYPE, 'exp'],
  ['exp null', withClaims({ exp: null }), 'token_claim', TYPE, 'exp'],
  [
    'exp infinite',
    sign(header, JSON.stringify(claims({ exp: 1 })).replace('"exp":1', '"exp":1e999')),
    'token_claim',
    TYPE,
    'exp',
  ],
  ['exp an array', withClaims({ exp: [now + 900] }), 'token_claim', TYPE, 'exp'],
  ['a lifetime over a day', withClaims({ exp: now + 86_401 }), 'token_claim', 'DESIGN 5', 'exp'],
  [
    'no iat and an exp beyond a day',
    withClaims({ exp: now + 86_500, iat: undefined }),
    'token_claim',
    'DESIGN 5',
    'exp',
  ],
  ['nbf ahead', withClaims({ nbf: now + 60 }), 'token_not_yet_valid', 'RFC 7519 4.1.5', 'nbf'],
  ['nbf a string', withClaims({ nbf: String(now) }), 'token_claim', TYPE, 'nbf'],
  ['nbf null', withClaims({ nbf: null }), 'token_claim', TYPE, 'nbf'],
  ['iat ahead', withClaims({ iat: now + 60 }), 'token_not_yet_valid', 'RFC 7519 4.1.6', 'iat'],
  ['iat true', withClaims({ iat: true }), 'token_claim', TYPE, 'iat'],
  [
    'iat infinite',
    sign(header, JSON.stringify(claims({ iat: 1 })).replace('"iat":1', '"iat":-1e999')),
    'token_claim',
    TYPE,
    'iat',
  ],
  [
    'another issuer',
    withClaims({ iss: 'https://evil.example' }),
    'token_issuer',
    'RFC 7519 4.1.1',
    'iss',
  ],
  [
    'an issuer with a slash behind',
    withClaims({ iss: `${policy.issuer}/` }),
    'token_issuer',
    'RFC 7519 4.1.1',
    'iss',
  ],
  ['no issuer', withClaims({ iss: undefined }), 'token_issuer', 'RFC 9068 4', 'iss'],
  ['iss an array', withClaims({ iss: [policy.issuer] }), 'token_claim', TYPE, 'iss'],
  ['another audience', withClaims({ aud: 'billing' }), 'token_audience', 'RFC 7519 4.1.3', 'aud'],
  [
    'other audiences',
    withClaims({ aud: ['billing', 'Orders'] }),
    'token_audience',
    'RFC 7519 4.1.3',
    'aud',
  ],
  ['an empty audience', withClaims({ aud: [] }), 'token_audience', 'RFC 7519 4.1.3', 'aud'],
  ['no audience', withClaims({ aud: undefined }), 'token_audience', 'RFC 7519 4.1.3', 'aud'],
  ['aud an object', withClaims({ aud: { 0: 'orders' } }), 'token_claim', TYPE, 'aud'],
  ['a number among the audiences', withClaims({ aud: ['orders', 1] }), 'token_claim', TYPE, 'aud'],
  ['no subject', withClaims({ sub: undefined }), 'token_claim', 'RFC 9068 2.2', 'sub'],
  ['sub a number', withClaims({ sub: 1 }), 'token_claim', TYPE, 'sub'],
  ['jti a number', withClaims({ jti: 1 }), 'token_claim', TYPE, 'jti'],
  ['sid a number', withClaims({ sid: 1 }), 'token_claim', TYPE, 'sid'],
  ['client_id an array', withClaims({ client_id: ['x'] }), 'token_claim', TYPE, 'client_id'],
  [
    'scope an array',
    withClaims({ scope: ['orders:read'] }),
    'token_claim',
    'RFC 8693 4.2',
    'scope',
  ],
  ['roles a string', withClaims({ roles: 'admin' }), 'token_claim', TYPE, 'roles'],
  ['a number among the roles', withClaims({ roles: ['admin', 0] }), 'token_claim', TYPE, 'roles'],
]

const accepted: [what: string, token: string, rule: string][] = [
  ['the plain token', good, 'RFC 7519 7.2'],
  [
    'header members in another order',
    sign({ kid: key.kid, alg: 'HS256', typ: 'at+jwt' }),
    'RFC 8259 4',
  ],
  ['spaces in the header', sign(JSON.stringify(header, null, 1)), 'RFC 8259 2'],
  ['spaces in the claims', sign(header, JSON.stringify(claims(), null, 2)), 'RFC 8259 2'],
  ['typ in upper case', withHeader({ typ: 'AT+JWT' }), 'RFC 7515 4.1.9'],
  ['typ as a whole media type', withHeader({ typ: 'application/at+jwt' }), 'RFC 7515 4.1.9'],
  ['a single audience', withClaims({ aud: 'orders' }), 'RFC 7519 4.1.3'],
  ['expired within the tolerance', withClaims({ exp: now - 2, iat: now - 900 }), 'RFC 7519 4.1.4'],
  ['iat ahead within the tolerance', withClaims({ iat: now + 3 }), 'RFC 7519 4.1.6'],
  ['no iat', withClaims({ iat: undefined }), 'RFC 7519 4.1.6'],
  ['a date with a fraction', withClaims({ exp: now + 900.5 }), 'RFC 7519 2'],
  ['a lifetime of a day', withClaims({ exp: now + 86_400 }), 'DESIGN 5'],
  [
    'no optional claim',
    withClaims({ jti: undefined, sid: undefined, scope: undefined, roles: undefined }),
    'RFC 7519 4',
  ],
  ['letters beyond ASCII', withClaims({ name: 'Žofie \u{1f511}' }), 'RFC 8259 8.1'],
  ['a replacement character', withClaims({ name: '\ufffd' }), 'RFC 8259 8.1'],
  ['escapes', withClaims({ x: 'a"b\\c\n\u0001' }), 'RFC 8259 7'],
  ['an escaped pair of surrogates', sign(header, claimsWith('"x":"\\ud83d\\udd11"')), 'RFC 8259 7'],
  ['colons and braces in strings', withClaims({ x: ':{"a":1}:', ':': '::' }), 'RFC 8259 7'],
  ['__proto__ as a value', withClaims({ x: '__proto__' }), 'DESIGN 5'],
  ['a claim named like a method', withClaims({ toString: 'x', constructor: 1 }), 'RFC 7519 4'],
  ['nesting of 64', sign(header, claimsWith(nested(63))), 'RFC 8259 9'],
  ['nesting and an escape', sign(header, claimsWith(`"\\u0079":1,${nested(63)}`)), 'RFC 8259 9'],
  [
    'objects in arrays',
    withClaims({ x: [{ y: [1, 'a', null, true, { z: {} }] }, []] }),
    'RFC 8259 5',
  ],
  [
    'numbers of all kinds',
    sign(header, claimsWith('"\\u0078":[0,-0,1.5,-1e-3,2E+2]')),
    'RFC 8259 6',
  ],
]

const sync = createVerifier({ ...policy, keys: [key] })
const uncached = createVerifier({ ...policy, keys: [key], cache: false })
const web = createFetchVerifier({ ...policy, keys: [key] })
const verifiers = [
  ['core', async (token: string) => sync.check(token)],
  ['core without cache', async (token: string) => uncached.check(token)],
  ['fetch', (token: string) => web.check(token)],
] as const

for (const [name, check] of verifiers) {
  t.test(`${name}: refuses, and says why`, async (t) => {
    for (const [what, token, code, rule, claim] of refused) {
      const result = await check(token as string)
      t.match(result, { ok: false, error: { code, claim } }, `${what} → ${code} (${rule})`)
    }
  })

  t.test(`${name}: accepts, twice and three times, with the claims as sent`, async (t) => {
    for (const [what, token, rule] of accepted) {
      const expected = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
      for (const time of [1, 2, 3]) {
        t.strictSame(
          await check(token),
          { ok: true, claims: expected },
          `${what}, ${time} (${rule})`,
        )
      }
    }
  })
}

t.test('verify throws a new TokenError with the code, claim and status of check', async (t) => {
  for (const [what, token, code, , claim] of refused) {
    t.throws(
      () => sync.verify(token as string),
      { name: 'TokenError', code, claim, status: 401 },
      what,
    )
    await t.rejects(
      web.verify(token as string),
      { name: 'TokenError', code, claim, status: 401 },
      what,
    )
  }
})

t.test('no message repeats anything of the token', async (t) => {
  const messages = new Set(refused.map(([, token]) => sync.check(token as string)))
  for (const result of messages) if (!result.ok) t.notMatch(result.error.message, /evil|root|2026/)
})
