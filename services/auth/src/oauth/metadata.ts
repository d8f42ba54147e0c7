import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { ProblemError } from '@latchkey/service-kit'
import type { FastifyReply } from 'fastify'
import { openidScopes } from '../sessions/scope.ts'

/** How long a copy may be used, in seconds. */
const maxAgeSeconds = 60

/**
 * What clients need to know about this server, below the issuer: RFC 8414, and OpenID Connect
 * Discovery 1.0 where the key file has a key for ID tokens.
 */
export const metadataRoutes: FastifyPluginAsyncTypebox<{ issuer: string }> = async (
  app,
  { issuer },
) => {
  const server = describeServer(issuer)
  const provider = { ...server, ...describeProvider(issuer) }
  const hasOpenId = () => app.keyring.current.idTokenKeys.length > 0
  const options = { config: { public: true }, logLevel: 'warn' } as const
  const send = (reply: FastifyReply, document: object) =>
    reply.header('cache-control', `public, max-age=${maxAgeSeconds}`).send(document)

  app.get('/.well-known/oauth-authorization-server', options, async (_request, reply) =>
    send(reply, hasOpenId() ? provider : server),
  )
  app.get('/.well-known/openid-configuration', options, async (_request, reply) => {
    if (!hasOpenId()) throw openIdOff()
    return send(reply, provider)
  })
}

const urlBelow = (issuer: string, path: string) => `${issuer.replace(/\/$/, '')}/${path}`

const authenticationMethods = ['client_secret_basic', 'none']

/** RFC 8414 section 2. */
const describeServer = (issuer: string) => ({
  issuer,
  authorization_endpoint: urlBelow(issuer, 'oauth/authorize'),
  token_endpoint: urlBelow(issuer, 'oauth/token'),
  revocation_endpoint: urlBelow(issuer, 'oauth/revoke'),
  end_session_endpoint: urlBelow(issuer, 'logout'),
  jwks_uri: urlBelow(issuer, '.well-known/jwks.json'),
  response_types_supported: ['code'],
  response_modes_supported: ['query'],
  grant_types_supported: ['authorization_code', 'refresh_token'],
  code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: authenticationMethods,
  revocation_endpoint_auth_methods_supported: authenticationMethods,
  prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
  authorization_response_iss_parameter_supported: true,
  request_parameter_supported: false,
  request_uri_parameter_supported: false,
  ui_locales_supported: ['en', 'de'],
})

/** OpenID Connect Discovery 1.0 section 3. */
const describeProvider = (issuer: string) => ({
  userinfo_endpoint: urlBelow(issuer, 'oauth/userinfo'),
  scopes_supported: openidScopes,
  subject_types_supported: ['public'],
  id_token_signing_alg_values_supported: ['RS256'],
  claims_parameter_supported: false,
  claims_supported: [
    ...['iss', 'sub', 'aud', 'exp', 'iat', 'auth_time', 'nonce', 'amr', 'sid'],
    ...['email', 'email_verified', 'name', 'locale', 'roles'],
  ],
})

const openIdOff = () =>
  new ProblemError(
    404,
    'openid_off',
    'OpenID Connect is off: the key file has no key for ID tokens. Run latchkey keys add --id-token.',
  )
