import { createHash, timingSafeEqual } from 'node:crypto'
import type { Keyring, Verifier } from '@latchkey/verify'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { findClient } from '../client.ts'
import { deriveClientSecret } from '../keys/jwk.ts'
import { findOAuthClient, type OAuthClient } from './clients-store.ts'
import { OAuthError } from './errors.ts'

/** The parameters of client authentication. */
export const ClientParameters = {
  client_id: Type.Optional(Type.String({ maxLength: 64 })),
  client_assertion: Type.Optional(Type.String({ maxLength: 2_048 })),
  client_assertion_type: Type.Optional(
    Type.Literal('urn:ietf:params:oauth:client-assertion-type:jwt-bearer'),
  ),
}

interface ClientBody {
  client_id?: string
  client_assertion?: string
  client_assertion_type?: string
}

/** How a client proves what it is. */
interface Proof {
  clientId: string
  /** `none`: the client claims to be a public one. */
  method: 'secret' | 'assertion' | 'none'
}

/**
 * Authenticates the client of a request (RFC 6749 section 2.3): by its secret in HTTP Basic, or by a
 * client assertion as services send (RFC 7523). Both come from the key that is derived from the
 * client's ID. A public client names itself, and proves with PKCE that it has begun the login.
 *
 * @throws OAuthError `invalid_client`, 401
 */
export async function authenticateClient(
  request: FastifyRequest<{ Body: ClientBody }>,
  assertions: Verifier,
): Promise<OAuthClient> {
  const { server: app, headers, body } = request
  const isBasic = headers.authorization !== undefined
  const { clientId, method } = readProof(request, assertions)
  if (body.client_id !== undefined && body.client_id !== clientId) {
    throw new OAuthError('invalid_request', 'client_id is not the client that authenticates.')
  }
  const client = await findOAuthClient(app.db, clientId)
  if (client === undefined || client.disabled) throw invalidClient(isBasic)
  if ((client.kind === 'public') !== (method === 'none')) throw invalidClient(isBasic)
  return client
}

function readProof(
  { server: app, headers, body }: FastifyRequest<{ Body: ClientBody }>,
  assertions: Verifier,
): Proof {
  const { client_assertion: assertion, client_assertion_type: type, client_id: clientId } = body
  const { authorization } = headers
  if (authorization !== undefined && assertion !== undefined) {
    throw new OAuthError('invalid_request', 'The client authenticates in more than one way.')
  }
  // RFC 7521 section 4.2
  if ((assertion === undefined) !== (type === undefined)) {
    throw new OAuthError('invalid_request', 'An assertion and its type require each other.')
  }
  if (authorization !== undefined) {
    const named = readBasic(authorization)
    if (named === undefined || !isSecret(app.keyring, named)) throw invalidClient(true)
    return { clientId: named.clientId, method: 'secret' }
  }
  if (assertion !== undefined) {
    const result = assertions.check(assertion)
    const client = result.ok ? findClient(result.claims) : undefined
    if (client?.kid === undefined) throw invalidClient(false)
    return { clientId: client.name, method: 'assertion' }
  }
  if (clientId === undefined) throw invalidClient(false)
  return { clientId, method: 'none' }
}

/** Client ID and secret, each percent-encoded before they were joined (RFC 6749 section 2.3.1). */
function readBasic(authorization: string): { clientId: string; secret: string } | undefined {
  const [, encoded] = /^Basic +([\w+/]+=*)$/i.exec(authorization) ?? []
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString()
  const [, clientId, secret] = /^([^:]{1,64}):([^:]{1,200})$/.exec(text) ?? []
  if (clientId === undefined || secret === undefined) return undefined
  try {
    return { clientId: decodeURIComponent(clientId), secret: decodeURIComponent(secret) }
  } catch {
    return undefined
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest()

/** Compares hashes, so that the time tells neither the length nor a part of the secret. */
function isSecret(
  { current }: Keyring,
  { clientId, secret }: { clientId: string; secret: string },
): boolean {
  return current.roots
    .map((root) =>
      timingSafeEqual(sha256(deriveClientSecret(root.secret, clientId)), sha256(secret)),
    )
    .includes(true)
}

const invalidClient = (isBasic: boolean) =>
  new OAuthError(
    'invalid_client',
    'The client is unknown or disabled, or it did not authenticate as it must.',
    {
      statusCode: 401,
      ...(isBasic && { headers: { 'www-authenticate': 'Basic realm="latchkey"' } }),
    },
  )
