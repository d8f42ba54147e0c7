import { randomBytes } from 'node:crypto'
import { mintToken } from '@latchkey/verify/testing'

/** Text, since @fastify/jwt takes its secret as text; its bytes are the key of all contenders. */
export const secretText = randomBytes(48).toString('base64url')
export const secret = Buffer.from(secretText)
export const issuer = 'https://sso.example.com'
export const audience = 'orders'
export const kid = '2026-11-23'

/** Makes a token of about 450 characters with ten claims, unlike any other. */
export function makeToken(others: { expiresInSeconds?: number; fault?: 'foreign' } = {}): string {
  return mintToken({
    key: { kid, secret },
    issuer,
    audience,
    subject: `u${randomBytes(6).toString('hex')}`,
    scopes: ['orders:read', 'orders:write'],
    roles: ['user'],
    claims: { tenant: 'acme' },
    ...others,
  })
}

/** Tokens as bytes, so that every call can be given a string of its own, as a request would. */
export function makeTokens(count: number, make: () => string = makeToken): Buffer[] {
  return Array.from({ length: count }, () => Buffer.from(make(), 'latin1'))
}
