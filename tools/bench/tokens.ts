import { randomBytes, randomInt } from 'node:crypto'
import { createTestKeyPair, type MintOptions, mintToken } from '@latchkey/verify/testing'

/** Text, because @fastify/jwt requires text. Its bytes are the key of every contender. */
export const secretText = randomBytes(48).toString('base64url')
export const secret = Buffer.from(secretText)
export const issuer = 'https://sso.example.com'
export const audience = 'orders'
export const kid = '2026-11-23'
export const keyPair = createTestKeyPair(kid)

/** Makes a unique token of about 450 characters with ten claims. */
export const makeToken = (others: Partial<MintOptions> = {}): string =>
  mintToken({
    key: { kid, secret },
    issuer,
    audience,
    subject: `u${randomBytes(6).toString('hex')}`,
    scopes: ['orders:read', 'orders:write'],
    roles: ['user'],
    claims: { tenant: 'acme' },
    ...others,
  })

/** The same, signed with ES256; 43 characters longer. */
export const makeEcToken: typeof makeToken = (others) => makeToken({ key: keyPair, ...others })

const randomLetter = () => String.fromCharCode(randomInt(97, 123))

/** Ways to make a token that is refused. */
export const listInvalid = (make: typeof makeToken): Record<string, () => string> => ({
  'garbage without dots': () => make().replaceAll('.', '-'),
  'garbage in three segments': () => make().replace(/[^.]/g, randomLetter),
  'a wrong signature': () => make({ fault: 'foreign' }),
  'an expired token': () => make({ expiresInSeconds: -60 }),
})

/** Makes tokens as bytes, so that every call can be given a new string, as a request gives it. */
export const makeTokens = (count: number, make: () => string = makeToken): Buffer[] =>
  Array.from({ length: count }, () => Buffer.from(make(), 'latin1'))
