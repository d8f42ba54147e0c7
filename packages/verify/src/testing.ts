import { createHmac, randomBytes, randomUUID } from 'node:crypto'

/** Options of `mintToken`. */
export interface MintOptions {
  /** The key to sign with: with its ID, or bytes only, for a token without `kid`. */
  key: { readonly kid: string; readonly secret: Uint8Array } | Uint8Array
  issuer: string
  audience: string | readonly string[]
  /** Default `user-1`. */
  subject?: string
  scopes?: readonly string[]
  roles?: readonly string[]
  /** From now; below zero for an expired token. Default 900. */
  expiresInSeconds?: number
  /** Further claims, or others in place of the above; one that is undefined is left out. */
  claims?: Readonly<Record<string, unknown>>
  /** Further header members, or others in place of `alg`, `typ`, `kid`. */
  header?: Readonly<Record<string, unknown>>
  /**
   * Makes a token that has to be refused:
   * - `foreign`: signed with a random key under the same key ID (`token_signature`)
   * - `tampered`: claims changed after signing (`token_signature`)
   * - `unsigned`: `alg` "none" and no signature (`token_algorithm`)
   */
  fault?: 'foreign' | 'tampered' | 'unsigned'
}

/** A random key. For tests: it lives only in memory. */
export function createTestKey(kid = 'test'): { kid: string; secret: Uint8Array } {
  return { kid, secret: new Uint8Array(randomBytes(32)) }
}

/** Mints an access token as the auth service does (HS256, `at+jwt`), for tests of services that verify one. */
export function mintToken(options: MintOptions): string {
  const { key, fault } = options
  const kid = key instanceof Uint8Array ? undefined : key.kid
  const secret = key instanceof Uint8Array ? key : key.secret
  const alg = fault === 'unsigned' ? 'none' : 'HS256'
  const header = encode({ alg, typ: 'at+jwt', kid, ...options.header })
  const claims = buildClaims(options)
  const input = `${header}.${encode(claims)}`
  const signature = createHmac('sha256', fault === 'foreign' ? randomBytes(32) : secret)
    .update(input)
    .digest('base64url')
  if (fault === 'unsigned') return `${input}.`
  if (fault === 'tampered')
    return `${header}.${encode({ ...claims, sub: randomUUID() })}.${signature}`
  return `${input}.${signature}`
}

function buildClaims(options: MintOptions): Record<string, unknown> {
  const { issuer, audience, subject = 'user-1', scopes = [], roles = [] } = options
  const iat = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    sub: subject,
    aud: typeof audience === 'string' ? [audience] : audience,
    exp: iat + (options.expiresInSeconds ?? 900),
    iat,
    jti: randomUUID(),
    sid: randomUUID(),
    scope: scopes.join(' '),
    roles,
    ...options.claims,
  }
}

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}
