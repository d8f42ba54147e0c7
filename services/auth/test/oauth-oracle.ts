import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { errors, Provider } from 'oidc-provider'
import type { Test } from 'tap'
import { callback } from './oauth-support.ts'

/** The clients of both servers; their secret at the oracle. */
export const oracleSecret = 'the secret of every client of the oracle'

const scope = 'openid profile email'

const describeClient = (id: string) => ({
  client_id: id,
  client_secret: oracleSecret,
  redirect_uris: [callback],
  response_types: ['code' as const],
  grant_types: ['authorization_code', 'refresh_token'],
  scope,
})

/** The certified `oidc-provider`, configured like Latchkey as far as it goes. Everybody is Ada. */
export async function startOracle(t: Test): Promise<string> {
  const server = createServer()
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  t.teardown(() => server.close())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const provider = new Provider(url, {
    clients: ['orders', 'billing'].map(describeClient),
    cookies: { keys: ['a key'] },
    scopes: scope.split(' '),
    pkce: { required: () => true },
    allowOmittingSingleRegisteredRedirectUri: false,
    findAccount: (_context: unknown, accountId: string) => ({
      accountId,
      claims: () => ({ sub: accountId }),
    }),
    interactions: { url: (_context: unknown, { uid }: { uid: string }) => `/interaction/${uid}` },
    features: {
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://orders.example.com',
        useGrantedResource: () => true,
        getResourceServerInfo: (_context: unknown, resource: string) => {
          if (resource !== 'https://orders.example.com') throw new errors.InvalidTarget()
          return { scope }
        },
      },
    },
    issueRefreshToken: () => true,
    loadExistingGrant: async (context) => {
      const { client, session } = context.oidc
      const grant = new context.oidc.provider.Grant({
        clientId: client?.clientId,
        accountId: session?.accountId,
      })
      grant.addOIDCScope(scope)
      grant.addResourceScope('https://orders.example.com', scope)
      await grant.save()
      return grant
    },
  })
  const answer = provider.callback()
  server.on('request', (request, reply) => {
    if (!request.url?.startsWith('/interaction/')) return answer(request, reply)
    return provider.interactionFinished(request, reply, { login: { accountId: 'ada' } })
  })
  return url
}
