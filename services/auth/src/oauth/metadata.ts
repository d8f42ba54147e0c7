import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'

/**
 * What clients need to know about this server, at the two well-known places below the issuer (RFC
 * 8414, OpenID Connect Discovery 1.0).
 */
export const metadataRoutes: FastifyPluginAsyncTypebox<{ issuer: string }> = async (
  app,
  { issuer },
) => {
  const document = describeServer(issuer)
  for (const name of ['oauth-authorization-server', 'openid-configuration']) {
    app.get(
      `/.well-known/${name}`,
      { config: { public: true }, logLevel: 'warn' },
      async (_request, reply) => {
        reply.header('cache-control', 'public, max-age=60')
        return document
      },
    )
  }
}

function describeServer(issuer: string) {
  const base = issuer.replace(/\/$/, '')
  const authentication = ['client_secret_basic', 'none']
  return {
    issuer,
    authorization_endpoint: `${base}/oauth/authorize`,
    token_endpoint: `${base}/oauth/token`,
    revocation_endpoint: `${base}/oauth/revoke`,
    end_session_endpoint: `${base}/logout`,
    jwks_uri: `${base}/.well-known/jwks.json`,
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token'],
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: authentication,
    revocation_endpoint_auth_methods_supported: authentication,
    prompt_values_supported: ['none', 'login', 'consent', 'select_account'],
    authorization_response_iss_parameter_supported: true,
    claims_parameter_supported: false,
    request_parameter_supported: false,
    request_uri_parameter_supported: false,
    ui_locales_supported: ['en', 'de'],
  }
}
