import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import type { Keyring, RsaKey } from '@latchkey/verify'
import { compactVerify, SignJWT } from 'jose'
import type { User } from '../accounts/store.ts'
import { effectiveScope } from '../sessions/scope.ts'
import type { RedeemedSession } from './codes-store.ts'

/** An app checks an ID token when it gets it, and never again. */
const ttlSeconds = 300

const alg = 'RS256'

/** Key objects by the key that they were made of: a reload replaces that. */
const privateKeys = new WeakMap<RsaKey, KeyObject>()

function toPrivateKey(key: RsaKey): KeyObject {
  const known = privateKeys.get(key)
  if (known !== undefined) return known
  const made = createPrivateKey({ key: key.privateJwk, format: 'jwk' })
  privateKeys.set(key, made)
  return made
}

/** Whether a scope asks for an ID token. */
export const asksForIdToken = (scope: string): boolean => scope.split(' ').includes('openid')

/**
 * Issues an ID token (OpenID Connect Core section 2), signed with RS256, which every client knows
 * (section 15.1).
 */
export async function issueIdToken(
  key: RsaKey,
  issuer: string,
  { session, user }: { session: RedeemedSession; user: User },
): Promise<string> {
  const { userId, clientId, sessionId, authTime, nonce, issuedAt } = session
  const claims = {
    auth_time: authTime,
    amr: ['pwd'],
    sid: sessionId,
    ...(nonce !== null && { nonce }),
    ...emailClaims(effectiveScope(session), user),
  }
  return new SignJWT(claims)
    .setProtectedHeader({ alg, kid: key.kid, typ: 'JWT' })
    .setIssuer(issuer)
    .setSubject(userId)
    .setAudience(clientId ?? '')
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + ttlSeconds)
    .sign(toPrivateKey(key))
}

/** What the scopes `profile` and `email` tell an app about its user (section 5.4). */
export const userClaims = (scope: string, user: User) => ({
  ...(scope.split(' ').includes('profile') && {
    ...(user.displayName !== null && { name: user.displayName }),
    ...(user.locale !== null && { locale: user.locale }),
  }),
  ...emailClaims(scope, user),
})

const emailClaims = (scope: string, { email, emailVerified }: User) =>
  scope.split(' ').includes('email') ? { email, email_verified: emailVerified } : {}

/**
 * The client that an ID token was issued to, however long ago: it says who asks for a logout.
 *
 * @returns `undefined` when this issuer has not issued it
 */
export async function readIdTokenHint(
  keyring: Keyring,
  issuer: string,
  hint: string,
): Promise<string | undefined> {
  const { idTokenKeys } = keyring.current
  try {
    const { payload } = await compactVerify(
      hint,
      ({ kid }) => {
        const key = idTokenKeys.find((candidate) => candidate.kid === kid)
        if (key === undefined) throw new Error('unknown key')
        return createPublicKey(toPrivateKey(key))
      },
      { algorithms: [alg] },
    )
    const { iss, aud } = JSON.parse(Buffer.from(payload).toString())
    return iss === issuer && typeof aud === 'string' ? aud : undefined
  } catch {
    return undefined
  }
}
