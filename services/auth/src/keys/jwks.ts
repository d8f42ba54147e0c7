import { createHash } from 'node:crypto'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { KeySet } from '@latchkey/verify'
import { Type } from 'typebox'

/** Of access tokens (RFC 7518 section 6.2.1). */
const EcJwk = Type.Object({
  kty: Type.Literal('EC'),
  crv: Type.Literal('P-256'),
  kid: Type.String(),
  alg: Type.Literal('ES256'),
  use: Type.Literal('sig'),
  x: Type.String(),
  y: Type.String(),
})

/** Of ID tokens (RFC 7518 section 6.3.1). */
const RsaJwk = Type.Object({
  kty: Type.Literal('RSA'),
  kid: Type.String(),
  alg: Type.Literal('RS256'),
  use: Type.Literal('sig'),
  n: Type.String(),
  e: Type.String(),
})

const JwkSet = Type.Object({ keys: Type.Array(Type.Union([EcJwk, RsaJwk])) })

/** RFC 7517 section 8.5.2. */
const mediaType = 'application/jwk-set+json'

/** How long a copy may be used, in seconds: a new key is added minutes before it signs. */
const maxAgeSeconds = 60

/**
 * The public keys (RFC 7517 section 5) of access tokens, for verifiers that have no key file, and of
 * ID tokens, for clients. Each is built member by member, so that no secret and no private part can
 * ever be among them.
 */
export const jwksRoute: FastifyPluginAsyncTypebox = async (app) => {
  let document = createDocument(app.keyring.current)
  app.keyring.subscribe((set) => {
    document = createDocument(set)
  })
  app.get(
    '/.well-known/jwks.json',
    {
      config: { public: true },
      logLevel: 'warn',
      schema: {
        tags: ['tokens'],
        operationId: 'listPublicKeys',
        summary: 'List the public keys that verify access tokens and ID tokens',
        description:
          'Keys with `alg` ES256 are those of access tokens; there is none if these are signed with ' +
          'HS256. Keys with `alg` RS256 are those of ID tokens.',
        response: {
          200: { description: 'OK', content: { [mediaType]: { schema: JwkSet } } },
          304: Type.Null({ description: 'Nothing new.' }),
        },
      },
    },
    async ({ headers }, reply) => {
      const { body, etag } = document
      reply.header('etag', etag).header('cache-control', `public, max-age=${maxAgeSeconds}`)
      if (headers['if-none-match'] === etag) return reply.code(304).send(null)
      // As bytes: to text, Fastify would add a `charset`, which this media type does not have.
      return reply.header('content-type', mediaType).send(body as never)
    },
  )
}

function createDocument({ keys, idTokenKeys }: KeySet): { body: Buffer; etag: string } {
  const ecKeys = keys
    .filter((key) => key.alg === 'ES256')
    .map(({ kid, alg, x, y }) => ({ kty: 'EC', crv: 'P-256', kid, alg, use: 'sig', x, y }))
  const rsaKeys = idTokenKeys.map(({ kid, alg, n, e }) => {
    return { kty: 'RSA', kid, alg, use: 'sig', n, e }
  })
  const body = Buffer.from(JSON.stringify({ keys: [...ecKeys, ...rsaKeys] }))
  const hash = createHash('sha256').update(body).digest('base64url')
  return { body, etag: `"${hash.slice(0, 22)}"` }
}
