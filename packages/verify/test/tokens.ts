import { createHmac, randomBytes } from 'node:crypto'
import type { PolicyOptions, StaticKey } from '../src/index.ts'

/** Key, policy and header of a good token; a test varies one thing. */
export const key: StaticKey = { kid: '2026-11-23', secret: randomBytes(32) }
export const policy: PolicyOptions = { issuer: 'https://sso.example', audience: 'orders' }
export const header = { alg: 'HS256', typ: 'at+jwt', kid: key.kid }

export function claims(others: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: policy.issuer,
    sub: '0198c0de-user',
    aud: ['orders', 'billing'],
    exp: now + 900,
    iat: now,
    jti: '0198c0de-token',
    sid: '0198c0de-session',
    scope: 'orders:read orders:write',
    roles: ['admin'],
    ...others,
  }
}

/** The text of the claims, with `text` as an additional member. */
export function claimsWith(text: string): string {
  return `${JSON.stringify(claims()).slice(0, -1)},${text}}`
}

/** Encodes an object, text or bytes as a segment. */
export function encode(value: object | string | Uint8Array): string {
  const isData = typeof value === 'string' || value instanceof Uint8Array
  return Buffer.from(isData ? (value as string) : JSON.stringify(value)).toString('base64url')
}

/** Signs two segments, whatever they contain. */
export function signSegments(head: string, body: string, secret: Uint8Array = key.secret): string {
  const input = `${head}.${body}`
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
}

/** Signs a header and claims, each an object, text or bytes. */
export function sign(
  head: object | string | Uint8Array = header,
  body: object | string | Uint8Array = claims(),
  secret?: Uint8Array,
): string {
  return signSegments(encode(head), encode(body), secret)
}

/** Freezes the clock of the process until the test ends. */
export function setClock(t: { teardown(fn: () => void): void }, nowSeconds: number): void {
  const { now } = Date
  Date.now = () => nowSeconds * 1000
  t.teardown(() => {
    Date.now = now
  })
}
