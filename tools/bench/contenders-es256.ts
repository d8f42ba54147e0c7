import { createPublicKey, verify, webcrypto } from 'node:crypto'
import { createVerifier } from '@latchkey/verify'
import { createVerifier as createFastJwtVerifier } from 'fast-jwt'
import { jwtVerify } from 'jose'
import jsonwebtoken from 'jsonwebtoken'
import type { Contender } from './measure.ts'
import { audience, issuer, keyPair } from './tokens.ts'

const { kid, x, y } = keyPair
const jwk = { kty: 'EC', crv: 'P-256', x, y }
const keyObject = createPublicKey({ format: 'jwk', key: jwk })

/** What Node offers for signatures of 64 bytes, with base64url and JSON. It checks no claim. */
export const floor: Contender = (token) => {
  const end = token.lastIndexOf('.')
  const input = Buffer.from(token.slice(0, end), 'latin1')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  if (!verify('sha256', input, { key: keyObject, dsaEncoding: 'ieee-p1363' }, signature)) {
    throw new Error('wrong signature')
  }
  return JSON.parse(Buffer.from(token.slice(token.indexOf('.') + 1, end), 'base64url').toString())
}

/** A new verifier each time, so that measurements do not fill each other's caches. */
export function createLatchkey(cache?: false): Contender {
  const keys = [{ kid, alg: 'ES256' as const, x, y }]
  const verifier = createVerifier({ keys, issuer, audience, ...(cache === false && { cache }) })
  return (token) => verifier.check(token)
}

export const createFastJwt = (cache: boolean): Contender =>
  createFastJwtVerifier({
    key: keyObject.export({ format: 'pem', type: 'spki' }),
    algorithms: ['ES256'],
    allowedIss: issuer,
    allowedAud: audience,
    cache: cache ? 10_000 : false,
  })

export const jsonwebtokenContender: Contender = (token) =>
  jsonwebtoken.verify(token, keyObject, { algorithms: ['ES256'], issuer, audience })

export async function createJose(): Promise<Contender> {
  const ecdsa = { name: 'ECDSA', namedCurve: 'P-256' }
  const key = await webcrypto.subtle.importKey('jwk', jwk, ecdsa, false, ['verify'])
  return (token) => jwtVerify(token, key, { algorithms: ['ES256'], issuer, audience })
}
