import { createHmac, createSecretKey, webcrypto } from 'node:crypto'
import { createVerifier } from '@latchkey/verify'
import { createVerifier as createFastJwtVerifier } from 'fast-jwt'
import { jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import type { Contender } from './measure.ts'
import { audience, issuer, kid, secret } from './tokens.ts'

const keyObject = createSecretKey(secret)
const policy = { keys: [{ kid, secret }], issuer, audience }

/** The least a verifier can do with Node's HMAC: signature, base64url, JSON. It checks no claim. */
export const floor: Contender = (token) => {
  const end = token.lastIndexOf('.')
  const signature = createHmac('sha256', keyObject).update(token.slice(0, end)).digest('base64url')
  if (signature !== token.slice(end + 1)) throw new Error('wrong signature')
  return JSON.parse(Buffer.from(token.slice(token.indexOf('.') + 1, end), 'base64url').toString())
}

/** A new verifier each time, so that measurements do not fill each other's caches. */
export function createLatchkey(cache?: false): Contender {
  const verifier = createVerifier({ ...policy, ...(cache === false && { cache }) })
  return (token) => verifier.check(token)
}

export const createFastJwt = (cache: boolean): Contender =>
  createFastJwtVerifier({
    key: secret,
    algorithms: ['HS256'],
    allowedIss: issuer,
    allowedAud: audience,
    cache: cache ? 10_000 : false,
  })

export const jsonwebtokenContender: Contender = (token) =>
  jsonwebtoken.verify(token, keyObject, { algorithms: ['HS256'], issuer, audience })

export async function createJose(): Promise<Contender> {
  const hmac = { name: 'HMAC', hash: 'SHA-256' }
  const key = await webcrypto.subtle.importKey('raw', secret, hmac, false, ['verify'])
  return (token) => jwtVerify(token, key, { algorithms: ['HS256'], issuer, audience })
}
