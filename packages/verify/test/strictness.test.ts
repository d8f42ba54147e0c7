import t from 'tap'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier, type TokenErrorCode } from '../src/index.ts'
import { claims, claimsWith, encode, es256, hs256, policy, type Signing } from './tokens.ts'

/** What is wrong, a token with only that fault, the expected code, the rule. */
type Row = [what: string, token: unknown, code: TokenErrorCode, rule: string, claim?: string]

const now = Math.floor(Date.now() / 1000)

/** A segment whose last character has unused bits set. */
const looseEnd = (segment: string) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return segment.slice(0, -1) + alphabet[alphabet.indexOf(segment.at(-1) ?? '') + 1]
}
/** Claims whose encoding has unused bits: their length is not a multiple of three. */
const oddBody = [claims(), claims({ x: 1 }), claims({ x: 12 })]
  .map((value) => encode(value))
  .find((segment) => segment.length % 4 !== 0) as string
const nested = (depth: number) => `"x":${'['.repeat(depth)}${']'.repeat(depth)}`

const MALFORMED = 'token_malformed'
const CLAIM = 'token_claim'

const MISSING = 'RFC 6750 3'
const COMPACT = 'RFC 7515 7.1'
const BASE64URL = 'RFC 7515 2, RFC 4648 3'
const JSON_TEXT = 'RFC 7519 7.2, RFC 8259'
const DUPLICATE = 'RFC 7515 4, RFC 7519 4'
const HEADER = 'RFC 7515 4.1, RFC 8725 3'
const MAC = 'RFC 7515 5.2'
const TYPE = 'RFC 7519 4.1'

/** The tokens of the tables, signed with one algorithm. */
function createTables({ alg, key, header, otherKey, sign, signSegments }: Signing) {
  const good = sign()
  const [head = '', body = '', signature = ''] = good.split('.')
  const withBody = (segment: string) => signSegments(head, segment)
  const withHeader = (others: object) => sign({ ...header, ...others })
  const withClaims = (others: Record<string, unknown>) =>
    sign(header, claims({ iat: now, exp: now + 900, ...others }))
  const withText = (text: string) => sign(header, claimsWith(text))
  /** Claims with a string of these bytes. */
  const withBytes = (...bytes: number[]) => {
    const [before = '', after] = claimsWith('"x":"|"').split('|')
    return sign(
      header,
      Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after ?? '')]),
    )
  }
  // biome-ignore format: a table
  const refused: Row[] = [
  ['no token', undefined, 'token_missing', MISSING],
  ['null', null, 'token_missing', MISSING],
  ['an object', { toString: () => good }, 'token_missing', MISSING],
  ['an empty token', '', 'token_missing', MISSING],

  ['one segment', 'garbage', MALFORMED, COMPACT],
  ['two segments', `${head}.${body}`, MALFORMED, COMPACT],
  ['four segments', `${good}.${signature}`, MALFORMED, COMPACT],
  ['five segments, as JWE', `${head}..${body}.${body}.${signature}`, MALFORMED, COMPACT],
  ['an empty header', signSegments('', body), MALFORMED, COMPACT],
  ['empty claims', withBody(''), MALFORMED, COMPACT],
  ['no signature', `${head}.${body}.`, 'token_signature', MAC],
  ['only dots', '..', MALFORMED, COMPACT],
  ['JSON serialisation', JSON.stringify({ payload: body, signature }), MALFORMED, COMPACT],
  ['a leading space', ` ${good}`, MALFORMED, COMPACT],
  ['a trailing line break', `${good}\n`, MALFORMED, COMPACT],
  ['more than 8,192 characters', withClaims({ x: 'x'.repeat(6200) }), MALFORMED, 'option maxTokenBytes'],
  ['more than 16,383 characters', 'x'.repeat(20_000), MALFORMED, 'option maxTokenBytes'],

  ['a padded header', signSegments(`${encode({ ...header, kid: '1' })}=`, body), MALFORMED, BASE64URL],
  ['padded claims', withBody(`${encode(claims({ x: 1 }))}=`), MALFORMED, BASE64URL],
  ['a padded signature', `${good}=`, MALFORMED, BASE64URL],
  ['the alphabet of base64 in claims', withBody(encode(claims({ x: '???>>>' })).replace(/[-_]/g, '+')), MALFORMED, BASE64URL],
  ['a slash in claims', withBody(encode(claims({ x: '???>>>' })).replace(/[-_]/g, '/')), MALFORMED, BASE64URL],
  ['the alphabet of base64 in a signature', `${head}.${body}.${'+'.repeat(signature.length)}`, MALFORMED, BASE64URL],
  ['a space in claims', withBody(`${body.slice(0, 8)} ${body.slice(8)}`), MALFORMED, BASE64URL],
  ['four line breaks in claims', withBody(`${body.slice(0, 8)}\n\n\n\n${body.slice(8)}`), MALFORMED, BASE64URL],
  ['an impossible length', withBody(`${encode('{}x')}A`), MALFORMED, BASE64URL],
  ['unused bits set in claims', withBody(looseEnd(oddBody)), MALFORMED, BASE64URL],
  ['unused bits set in a signature', `${head}.${body}.${looseEnd(signature)}`, MALFORMED, BASE64URL],
  ['a non-ASCII character in claims', withBody(`${body.slice(0, -4)}\u0141AAA`), MALFORMED, BASE64URL],
  ['a Latin-1 character in claims', withBody(`${body.slice(0, -4)}\u00e9AAA`), MALFORMED, BASE64URL],
  ['a non-ASCII character in the header', `${head.slice(0, -4)}\u0141AAA.${body}.${signature}`, MALFORMED, BASE64URL],
  ['NUL in claims', withBody(`${body.slice(0, -4)}\0AAA`), MALFORMED, BASE64URL],

  ['claims that are not UTF-8', withBytes(0xff), MALFORMED, JSON_TEXT],
  ['overlong UTF-8', withBytes(0xc0, 0xaf), MALFORMED, JSON_TEXT],
  ['a surrogate in UTF-8', withBytes(0xed, 0xa0, 0x80), MALFORMED, JSON_TEXT],
  ['an unpaired surrogate, escaped', withText('"x":"\\ud800"'), MALFORMED, 'RFC 7493 2.1'],
  ['a byte order mark', sign(header, `\ufeff${JSON.stringify(claims())}`), MALFORMED, 'RFC 8259 8.1'],
  ['claims that are not JSON', sign(header, 'Not JSON'), MALFORMED, JSON_TEXT],
  ['truncated claims', sign(header, JSON.stringify(claims()).slice(0, -1)), MALFORMED, JSON_TEXT],
  ['text after the claims', sign(header, `${JSON.stringify(claims())}{}`), MALFORMED, JSON_TEXT],
  ['a trailing comma', withText('"x":1,'), MALFORMED, JSON_TEXT],
  ['a control character in a string', withText('"x":"\t"'), MALFORMED, JSON_TEXT],
  ['single quotes', withText("'x':1"), MALFORMED, JSON_TEXT],
  ['NaN', withText('"x":NaN'), MALFORMED, JSON_TEXT],
  ['a wrong escape', withText('"x":"\\x41"'), MALFORMED, JSON_TEXT],
  ['a leading zero', withText('"\\u0078":01'), MALFORMED, JSON_TEXT],
  ['claims as an array', sign(header, [claims()]), MALFORMED, JSON_TEXT],
  ['claims as a string', sign(header, '"claims"'), MALFORMED, JSON_TEXT],
  ['claims as a number', sign(header, '1'), MALFORMED, JSON_TEXT],
  ['null claims', sign(header, 'null'), MALFORMED, JSON_TEXT],
  ['a duplicate claim', withText('"sub":"root"'), MALFORMED, DUPLICATE],
  ['a duplicate claim, the value not a string', withText('"exp":9999999999'), MALFORMED, DUPLICATE],
  ['a duplicate claim, escaped once', withText('"s\\u0075b":"root"'), MALFORMED, DUPLICATE],
  ['a duplicate claim, a space before the colon', withText('"sub" :"root"'), MALFORMED, DUPLICATE],
  ['a duplicate claim, a value that looks like a member', withText('"sub":":x"'), MALFORMED, DUPLICATE],
  ['a duplicate nested member', withText('"x":{"y":1,"y":2}'), MALFORMED, DUPLICATE],
  ['a duplicate nested member, in an array', withText('"x":[{"y":1,"y":"\\u0031"}]'), MALFORMED, DUPLICATE],
  ['__proto__ in claims', withText('"__proto__":{"roles":["admin"]}'), MALFORMED, '__proto__ is refused'],
  ['__proto__ in claims, escaped', withText('"__pr\\u006fto__":1'), MALFORMED, '__proto__ is refused'],
  ['__proto__ nested', withText('"x":[{"__proto__":1}]'), MALFORMED, '__proto__ is refused'],
  ['nesting of 65', withText(nested(64)), MALFORMED, 'RFC 8259 9'],
  ['nesting of 65 and an escape', withText(`"\\u0079":1,${nested(64)}`), MALFORMED, 'RFC 8259 9'],
  ['nesting of 2,900', withText(nested(2900)), MALFORMED, 'RFC 8259 9'],

  ['a header that is not JSON', `${encode('Not JSON')}.${body}.${signature}`, MALFORMED, HEADER],
  ['a header that is not UTF-8', `${encode(Buffer.from([0x7b, 0xff, 0x7d]))}.${body}.${signature}`, MALFORMED, HEADER],
  ['a header as an array', sign([header]), MALFORMED, HEADER],
  ['alg none, unsigned', `${encode({ ...header, alg: 'none' })}.${body}.`, 'token_algorithm', 'RFC 8725 3.1'],
  ['alg none, signed', withHeader({ alg: 'none' }), 'token_algorithm', 'RFC 8725 3.1'],
  ['alg None', `${encode({ ...header, alg: 'None' })}.${body}.`, 'token_algorithm', 'RFC 8725 3.1'],
  ['alg none, unknown members, no type and no key: the algorithm decides', sign({ alg: 'none', crit: ['exp'], kid: 'other' }), 'token_algorithm', 'RFC 8725 3.1'],
  ['alg in lower case', withHeader({ alg: alg.toLowerCase() }), 'token_algorithm', 'RFC 7515 4.1.1'],
  ['alg HS512', withHeader({ alg: 'HS512' }), 'token_algorithm', 'RFC 8725 3.1'],
  ['the other algorithm under the same key ID', withHeader({ alg: alg === 'HS256' ? 'ES256' : 'HS256' }), 'token_algorithm', 'RFC 8725 3.1'],
  ['alg RS256', withHeader({ alg: 'RS256' }), 'token_algorithm', 'RFC 8725 2.1'],
  ['no alg', withHeader({ alg: undefined }), 'token_algorithm', 'RFC 7515 4.1.1'],
  ['alg an array', withHeader({ alg: [alg] }), 'token_algorithm', 'RFC 7515 4.1.1'],
  ['a duplicate alg', sign(JSON.stringify(header).replace('{', '{"alg":"none",')), MALFORMED, DUPLICATE],
  ['crit', withHeader({ crit: ['exp'], exp: 1 }), MALFORMED, 'RFC 7515 4.1.11'],
  ['b64', withHeader({ b64: false }), MALFORMED, 'RFC 7797 3'],
  ['zip', withHeader({ zip: 'DEF' }), MALFORMED, HEADER],
  ['jwk', withHeader({ jwk: { kty: 'oct', k: 'AAAA' } }), MALFORMED, 'RFC 7515 4.1.3, RFC 8725 3.10'],
  ['jku', withHeader({ jku: 'https://evil.example/keys' }), MALFORMED, 'RFC 7515 4.1.2, RFC 8725 3.10'],
  ['x5u', withHeader({ x5u: 'https://evil.example/cert' }), MALFORMED, 'RFC 7515 4.1.5, RFC 8725 3.10'],
  ['cty', withHeader({ cty: 'JWT' }), MALFORMED, HEADER],
  ['__proto__ in the header', sign(JSON.stringify(header).replace('{', '{"__proto__":{},')), MALFORMED, '__proto__ is refused'],
  ['typ JWT', withHeader({ typ: 'JWT' }), 'token_type', 'RFC 8725 3.11'],
  ['typ of a refresh token', withHeader({ typ: 'rt+jwt' }), 'token_type', 'RFC 8725 3.11'],
  ['typ of another media type', withHeader({ typ: 'text/at+jwt' }), 'token_type', 'RFC 7515 4.1.9'],
  ['no typ', withHeader({ typ: undefined }), 'token_type', 'RFC 8725 3.11'],
  ['an empty typ', withHeader({ typ: '' }), 'token_type', 'RFC 8725 3.11'],
  ['typ a number', withHeader({ typ: 1 }), MALFORMED, 'RFC 7515 4.1.9'],
  ['typ null', withHeader({ typ: null }), MALFORMED, 'RFC 7515 4.1.9'],
  ['an unknown kid', withHeader({ kid: 'other' }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid __proto__', withHeader({ kid: '__proto__' }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid constructor', withHeader({ kid: 'constructor' }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid a path', withHeader({ kid: '../../dev/null' }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid in another case', withHeader({ kid: `${key.kid} ` }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['no kid', withHeader({ kid: undefined }), 'token_unknown_key', 'RFC 7515 4.1.4'],
  ['kid a number', withHeader({ kid: 1 }), MALFORMED, 'RFC 7515 4.1.4'],
  ['kid null', withHeader({ kid: null }), MALFORMED, 'RFC 7515 4.1.4'],

  ['another key', sign(header, claims(), otherKey), 'token_signature', MAC],
  ['an HMAC under an empty secret', sign(header, claims(), Buffer.alloc(0)), 'token_signature', MAC],
  ['other claims under the same signature', `${head}.${encode(claims({ sub: 'root' }))}.${signature}`, 'token_signature', MAC],
  ['another header under the same signature', `${encode({ kid: key.kid, typ: 'at+jwt', alg })}.${body}.${signature}`, 'token_signature', MAC],
  ['a signature too short', `${head}.${body}.${signature.slice(0, signature.length & ~3)}`, 'token_signature', MAC],
  ['a signature too long', `${good}AAAA`, 'token_signature', MAC],
  ['a signature of zeros', `${head}.${body}.${'A'.repeat(signature.length)}`, 'token_signature', MAC],
  ['bad claims under a bad signature: the signature decides', `${head}.${encode('Not JSON')}.${signature}`, 'token_signature', MAC],

  ['expired', withClaims({ exp: now - 31, iat: now - 900 }), 'token_expired', 'RFC 7519 4.1.4', 'exp'],
  ['no exp', withClaims({ exp: undefined }), CLAIM, 'RFC 9068 2.2', 'exp'],
  ['exp a string', withClaims({ exp: String(now + 900) }), CLAIM, TYPE, 'exp'],
  ['exp null', withClaims({ exp: null }), CLAIM, TYPE, 'exp'],
  ['exp infinite', sign(header, JSON.stringify(claims({ exp: 1 })).replace('"exp":1', '"exp":1e999')), CLAIM, TYPE, 'exp'],
  ['exp an array', withClaims({ exp: [now + 900] }), CLAIM, TYPE, 'exp'],
  ['a lifetime over an hour', withClaims({ exp: now + 3_601 }), CLAIM, 'option maxLifetimeSeconds', 'exp'],
  ['no iat and an exp beyond an hour', withClaims({ exp: now + 3_700, iat: undefined }), CLAIM, 'option maxLifetimeSeconds', 'exp'],
  ['nbf in the future', withClaims({ nbf: now + 90 }), 'token_not_yet_valid', 'RFC 7519 4.1.5', 'nbf'],
  ['nbf a string', withClaims({ nbf: String(now) }), CLAIM, TYPE, 'nbf'],
  ['nbf null', withClaims({ nbf: null }), CLAIM, TYPE, 'nbf'],
  ['iat in the future', withClaims({ iat: now + 90, exp: now + 900 }), 'token_not_yet_valid', 'RFC 7519 4.1.6', 'iat'],
  ['iat true', withClaims({ iat: true }), CLAIM, TYPE, 'iat'],
  ['iat infinite', sign(header, JSON.stringify(claims({ iat: 1 })).replace('"iat":1', '"iat":-1e999')), CLAIM, TYPE, 'iat'],
  ['another issuer', withClaims({ iss: 'https://evil.example' }), 'token_issuer', 'RFC 7519 4.1.1', 'iss'],
  ['an issuer with a trailing slash', withClaims({ iss: `${policy.issuer}/` }), 'token_issuer', 'RFC 7519 4.1.1', 'iss'],
  ['no issuer', withClaims({ iss: undefined }), 'token_issuer', 'RFC 9068 4', 'iss'],
  ['iss an array', withClaims({ iss: [policy.issuer] }), CLAIM, TYPE, 'iss'],
  ['another audience', withClaims({ aud: 'billing' }), 'token_audience', 'RFC 7519 4.1.3', 'aud'],
  ['other audiences', withClaims({ aud: ['billing', 'Orders'] }), 'token_audience', 'RFC 7519 4.1.3', 'aud'],
  ['an empty audience', withClaims({ aud: [] }), 'token_audience', 'RFC 7519 4.1.3', 'aud'],
  ['no audience', withClaims({ aud: undefined }), 'token_audience', 'RFC 7519 4.1.3', 'aud'],
  ['aud an object', withClaims({ aud: { 0: 'orders' } }), CLAIM, TYPE, 'aud'],
  ['a number among the audiences', withClaims({ aud: ['orders', 1] }), CLAIM, TYPE, 'aud'],
  ['no subject', withClaims({ sub: undefined }), CLAIM, 'RFC 9068 2.2', 'sub'],
  ['sub a number', withClaims({ sub: 1 }), CLAIM, TYPE, 'sub'],
  ['jti a number', withClaims({ jti: 1 }), CLAIM, TYPE, 'jti'],
  ['sid a number', withClaims({ sid: 1 }), CLAIM, TYPE, 'sid'],
  ['client_id an array', withClaims({ client_id: ['x'] }), CLAIM, TYPE, 'client_id'],
  ['scope an array', withClaims({ scope: ['orders:read'] }), CLAIM, 'RFC 8693 4.2', 'scope'],
  ['roles a string', withClaims({ roles: 'admin' }), CLAIM, TYPE, 'roles'],
  ['a number among the roles', withClaims({ roles: ['admin', 0] }), CLAIM, TYPE, 'roles'],
]

  // biome-ignore format: a table
  const accepted: [what: string, token: string, rule: string][] = [
  ['the plain token', good, 'RFC 7519 7.2'],
  ['header members in another order', sign({ kid: key.kid, alg, typ: 'at+jwt' }), 'RFC 8259 4'],
  ['spaces in the header', sign(JSON.stringify(header, null, 1)), 'RFC 8259 2'],
  ['spaces in the claims', sign(header, JSON.stringify(claims(), null, 2)), 'RFC 8259 2'],
  ['typ in upper case', withHeader({ typ: 'AT+JWT' }), 'RFC 7515 4.1.9'],
  ['typ as a whole media type', withHeader({ typ: 'application/at+jwt' }), 'RFC 7515 4.1.9'],
  ['a single audience', withClaims({ aud: 'orders' }), 'RFC 7519 4.1.3'],
  ['expired, within the tolerance', withClaims({ exp: now - 2, iat: now - 900 }), 'RFC 7519 4.1.4'],
  ['iat ahead, within the tolerance', withClaims({ iat: now + 3 }), 'RFC 7519 4.1.6'],
  ['no iat', withClaims({ iat: undefined }), 'RFC 7519 4.1.6'],
  ['a date with a fraction', withClaims({ exp: now + 900.5 }), 'RFC 7519 2'],
  ['a lifetime of an hour', withClaims({ exp: now + 3_600 }), 'option maxLifetimeSeconds'],
  ['no optional claim', withClaims({ jti: undefined, sid: undefined, scope: undefined, roles: undefined }), 'RFC 7519 4'],
  ['non-ASCII letters', withClaims({ name: 'Žofie \u{1f511}' }), 'RFC 8259 8.1'],
  ['a replacement character', withClaims({ name: '\ufffd' }), 'RFC 8259 8.1'],
  ['escapes', withClaims({ x: 'a"b\\c\n\u0001' }), 'RFC 8259 7'],
  ['an escaped pair of surrogates', withText('"x":"\\ud83d\\udd11"'), 'RFC 8259 7'],
  ['colons and braces in strings', withClaims({ x: ':{"a":1}:', ':': '::' }), 'RFC 8259 7'],
  ['__proto__ as a value', withClaims({ x: '__proto__' }), '__proto__ is refused'],
  ['a claim named like a method', withClaims({ toString: 'x', constructor: 1 }), 'RFC 7519 4'],
  ['nesting of 64', withText(nested(63)), 'RFC 8259 9'],
  ['nesting and an escape', withText(`"\\u0079":1,${nested(63)}`), 'RFC 8259 9'],
  ['objects in arrays', withClaims({ x: [{ y: [1, 'a', null, true, { z: {} }] }, []] }), 'RFC 8259 5'],
  ['numbers of all kinds', withText('"\\u0078":[0,-0,1.5,-1e-3,2E+2]'), 'RFC 8259 6'],
]

  return { refused, accepted }
}

// Longer than a busy machine takes from here to the last check.
const tolerant = { ...policy, clockToleranceSeconds: 30 }

for (const signing of [hs256, es256]) {
  const { refused, accepted } = createTables(signing)
  const keys = [signing.key]
  const sync = createVerifier({ ...tolerant, keys })
  const uncached = createVerifier({ ...tolerant, keys, cache: false })
  const web = createFetchVerifier({ ...tolerant, keys })
  const beside = createVerifier({ ...tolerant, keys: [hs256.key, es256.key] })
  const verifiers = [
    ['core', async (token: string) => sync.check(token)],
    ['core without cache', async (token: string) => uncached.check(token)],
    ['core with keys of both algorithms', async (token: string) => beside.check(token)],
    ['fetch', (token: string) => web.check(token)],
  ] as const

  for (const [name, check] of verifiers) {
    const title = `${signing.alg}, ${name}`
    t.test(`${title}: refuses a wrong token with the code of the rule it breaks`, async (t) => {
      for (const [what, token, code, rule, claim] of refused) {
        const result = await check(token as string)
        t.match(result, { ok: false, error: { code, claim } }, `${what} → ${code} (${rule})`)
      }
    })

    t.test(`${title}: accepts a good token three times, with the claims as sent`, async (t) => {
      for (const [what, token, rule] of accepted) {
        const sent = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())
        for (const time of [1, 2, 3]) {
          t.strictSame(await check(token), { ok: true, claims: sent }, `${what}, ${time} (${rule})`)
        }
      }
    })
  }

  t.test(`${signing.alg}: verify throws a new TokenError, as check returns it`, async (t) => {
    for (const [what, token, code, , claim] of refused) {
      const expected = { name: 'TokenError', code, claim, status: 401 }
      t.throws(() => sync.verify(token as string), expected, what)
      await t.rejects(web.verify(token as string), expected, what)
    }
  })

  t.test(`${signing.alg}: no message contains anything of the token`, async (t) => {
    const results = new Set(refused.map(([, token]) => sync.check(token as string)))
    for (const result of results) if (!result.ok) t.notMatch(result.error.message, /evil|root|2026/)
  })
}
