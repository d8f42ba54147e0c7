import fc from 'fast-check'
import { createSigner } from 'fast-jwt'
import t from 'tap'
import { createVerifier as createFetchVerifier } from '../src/fetch.ts'
import { createVerifier, TokenError } from '../src/index.ts'
import { claims, encode, header, key, policy, sign, signSegments } from './tokens.ts'

const verifier = createVerifier({ ...policy, keys: [key] })
const web = createFetchVerifier({ ...policy, keys: [key] })
const runs = { numRuns: 2000 }

/** The signer of the auth service: `@fastify/jwt` signs with fast-jwt. */
const issue = createSigner({
  key: Buffer.from(key.secret),
  algorithm: 'HS256',
  header: { typ: 'at+jwt', kid: key.kid, alg: 'HS256' },
}) as (claims: object) => string

const text = fc.string({ unit: 'binary' }).filter((value) => value.isWellFormed())
const ownClaims = fc.record({
  sub: text,
  jti: fc.uuid(),
  sid: fc.uuid(),
  scope: fc.array(fc.stringMatching(/^[!#-[\]-~]+$/)).map((values) => values.join(' ')),
  roles: fc.array(text),
  aud: fc.array(text).map((values) => [...values, 'orders']),
})
const json = fc.jsonValue({ maxDepth: 4 }).filter((value) => isPlain(value))

/** Whether a value has neither unpaired surrogates nor members named `__proto__`. */
function isPlain(value: unknown): boolean {
  const serialised = JSON.stringify(value)
  return !serialised.includes('__proto__') && !/\\ud[89a-f]/.test(serialised)
}

function refuses(token: string): boolean {
  const result = verifier.check(token)
  if (result.ok) return false
  try {
    verifier.verify(token)
  } catch (err) {
    return err instanceof TokenError && err.code === result.error.code
  }
  return false
}

t.test('accepts every token of the signer, with the same claims', async (t) => {
  fc.assert(
    fc.property(ownClaims, fc.dictionary(fc.string(), json), (own, additional) => {
      const given = { ...additional, ...claims(own) }
      if (!isPlain(given)) return
      const expected = JSON.stringify(given)
      const token = issue(given)
      for (let time = 0; time < 3; time++) {
        if (JSON.stringify(verifier.verify(token)) !== expected) throw new Error(expected)
      }
    }),
    runs,
  )
  t.pass('in every run')
})

t.test('refuses a token with any one bit flipped', async (t) => {
  const token = sign()
  verifier.check(token)
  verifier.check(token)
  for (let i = 0; i < token.length; i++) {
    for (let bit = 0; bit < 8; bit++) {
      const flipped = String.fromCharCode(token.charCodeAt(i) ^ (1 << bit))
      const mutant = token.slice(0, i) + flipped + token.slice(i + 1)
      if (!refuses(mutant)) throw new Error(`bit ${bit} of character ${i}`)
    }
  }
  t.pass('every bit')
})

t.test('refuses a token with text inserted, deleted or replaced', async (t) => {
  const token = sign()
  const piece = fc.oneof(
    fc.string({ maxLength: 8 }),
    fc.constantFrom('=', '==', '.', '+', '/', ' ', '\n', '\0', 'A', '\u0141', '\ud800', 'Bearer '),
  )
  fc.assert(
    fc.property(fc.nat(token.length), fc.nat(5), piece, (at, cut, put) => {
      const mutant = token.slice(0, at) + put + token.slice(at + cut)
      return mutant === token || refuses(mutant)
    }),
    runs,
  )
  t.pass('in every run')
})

t.test('refuses segments of several tokens joined together', async (t) => {
  const tokens = [sign(), sign(), sign(header, claims({ sub: 'root' })), sign({ alg: 'none' })]
  const segments = tokens.flatMap((token) => token.split('.'))
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...segments, ''), { maxLength: 5 }), (parts) => {
      const token = parts.join('.')
      return tokens.slice(0, 3).includes(token) || refuses(token)
    }),
    runs,
  )
  t.pass('in every run')
})

t.test('refuses a signed token with any other member in its header', async (t) => {
  fc.assert(
    fc.property(fc.string(), json, (name, value) => {
      if (name === 'alg' || name === 'typ' || name === 'kid') return true
      const member = `${JSON.stringify(name)}:${JSON.stringify(value)}`
      return refuses(sign(JSON.stringify(header).replace(/\}$/, `,${member}}`)))
    }),
    runs,
  )
  t.pass('in every run')
})

t.test('refuses a signed token with a registered claim of another type', async (t) => {
  const strings = ['iss', 'sub', 'jti', 'sid', 'client_id', 'scope']
  const names = [...strings, 'exp', 'nbf', 'iat', 'roles', 'aud']
  fc.assert(
    fc.property(fc.constantFrom(...names), json, (name, value) => {
      const isString = typeof value === 'string'
      const isStrings =
        Array.isArray(value) && value.every((element) => typeof element === 'string')
      const isDate = name === 'exp' || name === 'nbf' || name === 'iat'
      if (isDate ? typeof value === 'number' : isString || isStrings) return true
      return refuses(sign(header, claims({ [name]: value })))
    }),
    runs,
  )
  t.pass('in every run')
})

t.test('answers any signed bytes with claims or a TokenError', async (t) => {
  const bytes = fc.uint8Array({ maxLength: 200 })
  fc.assert(
    fc.property(bytes, bytes, (head, body) => {
      return refuses(sign(head, body)) && refuses(sign(header, body))
    }),
    runs,
  )
  t.pass('in every run')
})

t.test('reads JSON as JSON.parse does, and refuses duplicate names', async (t) => {
  const member = fc.constantFrom(
    ...['"a":1', '"a" :1', '"a": "x"', '"\\u0061":2', '"b":":"', '"b":"\\""'],
    ...['"c":{"a":1}', '"c":["\\\\","{"]'],
  )
  fc.assert(
    fc.property(fc.array(member, { maxLength: 4 }), (members) => {
      const own = JSON.stringify(claims())
      const body = `${own.slice(0, -1)}${members.map((text) => `,${text}`).join('')}}`
      const parsed = JSON.parse(body)
      const names = members.map((text) => JSON.parse(`{${text}}`)).flatMap(Object.keys)
      const result = verifier.check(sign(header, body))
      if (new Set(names).size < names.length) return !result.ok
      return result.ok && JSON.stringify(result.claims) === JSON.stringify(parsed)
    }),
    runs,
  )
  t.pass('in every run')
})

t.test('the fetch verifier answers like the core', async (t) => {
  const bodies = fc.oneof(
    ownClaims.map((own) => encode(claims(own))),
    fc.string().map((value) => encode(value)),
    fc.uint8Array().map((value) => encode(value)),
    fc.string(),
  )
  const tokens = fc.oneof(
    bodies.map((body) => signSegments(encode(header), body)),
    fc.tuple(fc.string(), bodies).map(([head, body]) => signSegments(encode(head), body)),
    fc.string(),
  )
  await fc.assert(
    fc.asyncProperty(tokens, async (token) => {
      const [a, b] = [verifier.check(token), await web.check(token)]
      return JSON.stringify(a) === JSON.stringify(b)
    }),
    runs,
  )
  t.pass('in every run')
})
