import { hkdfSync } from 'node:crypto'
import { ProblemError } from '@latchkey/service-kit'
import type { HmacKey, Keyring } from '@latchkey/verify'
import { EncryptJWT, jwtDecrypt } from 'jose'
import { rootMissing } from '../keys/jwk.ts'
import type { AuthorizationRequest, LoginDemand } from './authorization-request.ts'

/** An authorization request that waits for a login. */
export type WaitingRequest = AuthorizationRequest & Pick<LoginDemand, 'loginHint'>

/** How long a login may take, registration and reading mail included. */
const lifetime = '1h'

const purpose = 'latchkey authorization request v1'

/** The algorithms of a sealed request: encrypted with the derived key itself (RFC 7518). */
const alg = 'dir'
const enc = 'A256GCM'

/**
 * Seals an authorization request that has been checked, to travel through the forms of the login: a
 * JWE (RFC 7516) under a key that is derived from the root key. Any instance opens it, the browser
 * can neither change nor read it, and nothing is stored before somebody has logged in.
 *
 * @throws ProblemError 501 `root_key_missing`
 */
export async function sealRequest(keyring: Keyring, request: WaitingRequest): Promise<string> {
  const [root] = keyring.current.roots
  if (root === undefined)
    throw new ProblemError(
      501,
      'root_key_missing',
      `Login pages require a root key: ${rootMissing}.`,
    )
  return new EncryptJWT({ ...request })
    .setProtectedHeader({ alg, enc, kid: root.kid })
    .setAudience(purpose)
    .setExpirationTime(lifetime)
    .encrypt(deriveKey(root))
}

/**
 * Opens what `sealRequest` has made with any of the root keys.
 *
 * @throws ProblemError 400 `login_expired`
 */
export async function openRequest(keyring: Keyring, sealed: string): Promise<WaitingRequest> {
  const { roots } = keyring.current
  try {
    const { payload } = await jwtDecrypt(
      sealed,
      ({ kid }) => {
        const root = roots.find((candidate) => candidate.kid === kid)
        if (root === undefined) throw new Error('unknown key')
        return deriveKey(root)
      },
      { audience: purpose, keyManagementAlgorithms: [alg], contentEncryptionAlgorithms: [enc] },
    )
    const { aud: _aud, exp: _exp, ...request } = payload
    return request as unknown as WaitingRequest
  } catch {
    throw loginExpired()
  }
}

/** The answer to a login that cannot be continued. */
export const loginExpired = () =>
  new ProblemError(
    400,
    'login_expired',
    'This login has expired. Go back to the app and sign in again.',
  )

const deriveKey = ({ secret }: HmacKey): Uint8Array =>
  new Uint8Array(hkdfSync('sha256', secret, '', purpose, 32))
