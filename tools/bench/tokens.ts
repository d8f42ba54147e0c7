import { randomBytes } from 'node:crypto'
import { mintToken } from '@latchkey/verify/testing'

/** Text, because @fastify/jwt requires text. Its bytes are the key of every contender. */
export const secretText = randomBytes(48).toString('base64url')
export const secret = Buffer.from(secretText)
export const issuer = 'https://sso.example.com'
export const audience = 'orders'
export const kid = '2026-11-23'

/** Makes a unique token of about 450 characters with ten claims. */
export const makeToken = (others: { expiresInSeconds?: number; fault?: 'foreign' } = {}): string =>
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

/** Makes tokens as bytes, so that every call can be given a new string, as a request gives it. */
export const makeTokens = (count: number, make: () => string = makeToken): Buffer[] =>
  Array.from({ length: count }, () => Buffer.from(make(), 'latin1'))
