import {
  authAudience,
  type Claims,
  clientAssertionType,
  createVerifier,
  type Keyring,
  limits,
  TokenError,
  type Verifier,
} from '@latchkey/verify'
import { findClient, rememberClient } from '../client.ts'
import { deriveServiceSecret, operator } from '../keys/jwk.ts'

/**
 * Verifies client assertions (RFC 7523 section 3): HS256 under the key that is derived from a root
 * key and the name that the assertion's `kid` contains, with this name as `iss` and `sub`, this
 * issuer as `aud`, and `exp` at most a minute after `iat`. Nothing about a service is stored.
 *
 * Until the key file has a root key, service tokens under the shared secret are accepted, as before
 * version 0.2.
 *
 * Not checked: whether the `jti` was used before. See `requireOperator`.
 */
export function createAssertionVerifier(keyring: Keyring, issuer: string): Verifier {
  const shared = createVerifier({ keys: keyring, issuer, audience: authAudience, cache: false })
  /** Of clients that have authenticated: strangers cannot fill it. */
  const known = new Map<string, Verifier>()
  // If a new file has no root key, the last ones stay in use, as with refresh tokens.
  let { roots } = keyring.current
  keyring.subscribe((set) => {
    if (set.roots.length > 0) roots = set.roots
    known.clear()
  })

  const check: Verifier['check'] = (token, staleness) => {
    if (roots.length === 0) {
      const result = shared.check(token, staleness)
      return result.ok ? { ok: true, claims: describeSharedClient(result.claims) } : result
    }
    const kid = readKid(token)
    const [, rootKid, name = ''] = /^([^/]+)\/([\w.-]{1,64})$/.exec(kid) ?? []
    const root = roots.find((candidate) => candidate.kid === rootKid)
    if (root === undefined) return refuse('token_unknown_key')
    const verifier = known.get(kid) ?? createClientVerifier({ kid, name, root, issuer })
    const result = verifier.check(token)
    if (!result.ok) return result
    const { sub, jti } = result.claims
    if (sub !== name) return refuse('token_claim', 'sub')
    if (jti === undefined || !/^[\x21-\x7e]{1,100}$/.test(jti)) return refuse('token_claim', 'jti')
    known.set(kid, verifier)
    return { ok: true, claims: rememberClient(result.claims, { name, kid }) }
  }
  return withVerify(check)
}

const withVerify = (check: Verifier['check']): Verifier => ({
  check,
  verify(token, staleness) {
    const result = check(token, staleness)
    if (!result.ok) throw new TokenError(result.error.code, result.error.claim)
    return result.claims
  },
})

interface ClientKey {
  kid: string
  name: string
  root: { readonly secret: Uint8Array }
  issuer: string
}

function createClientVerifier({ kid, name, root, issuer }: ClientKey): Verifier {
  const key = { kid, alg: 'HS256' as const, secret: deriveServiceSecret(root.secret, name) }
  return createVerifier({
    // As a set: the strength of a secret is checked for an array, at ten times the cost of the rest.
    keys: { current: { signing: key, keys: [key], serviceKeys: [], roots: [], idTokenKeys: [] } },
    issuer: name,
    audience: issuer,
    types: [clientAssertionType],
    maxLifetimeSeconds: limits.clientAssertionSeconds,
    // A wrong clock must not cut a verifier off from the revocations.
    clockToleranceSeconds: limits.maxClockToleranceSeconds,
    maxTokenBytes: 2_048,
    cache: false,
  })
}

/**
 * Verifies tokens of users, and client assertions of the operator, who gets the role `admin`.
 * Assertions of services are refused.
 */
export function acceptOperator(users: Verifier, assertions: Verifier): Verifier {
  return withVerify((token, staleness) => {
    const result = users.check(token, staleness)
    if (result.ok) return result
    const assertion = assertions.check(token, staleness)
    const client = assertion.ok ? findClient(assertion.claims) : undefined
    if (!assertion.ok || client?.name !== operator || client.kid === undefined) return result
    const claims = Object.freeze({ ...assertion.claims, roles: ['admin'] })
    return { ok: true, claims: rememberClient(claims, client) }
  })
}

/** A service minted its token with a `sub` of `service:…`, which no user has. */
function describeSharedClient(claims: Claims): Claims {
  const name = /^service:(.+)$/.exec(claims.sub)?.[1]
  return name === undefined ? claims : rememberClient({ ...claims }, { name, kid: undefined })
}

/** The `kid` that a token claims, to choose the key that it is verified with. */
function readKid(token: string): string {
  if (token.length > 2_048) return ''
  try {
    const { kid } = JSON.parse(Buffer.from(token.split('.', 1).join(), 'base64url').toString())
    return typeof kid === 'string' ? kid : ''
  } catch {
    return ''
  }
}

const refuse = (...reason: ConstructorParameters<typeof TokenError>) => ({
  ok: false as const,
  error: new TokenError(...reason),
})
