import { latchkey } from '@latchkey/verify/fastify'
import fp from 'fastify-plugin'
import { createContext } from './context.ts'
import { Guard } from './guard.ts'
import { loginRoutes } from './login-routes.ts'
import { logoutRoute } from './logout-route.ts'
import { readOptions, type WebOptions } from './options.ts'

/**
 * Signs people in to a server-rendered app, or to the backend of a single-page app: a
 * backend-for-frontend (RFC 10017). The tokens are in a sealed cookie that scripts cannot read;
 * nothing is stored on the server, so any instance answers any request.
 *
 * It registers `@latchkey/verify/fastify`: every request needs a session, or a Bearer token, unless
 * its route has `config: { public: true }`; `scopes` and `roles` as there, and `request.user` has the
 * claims. Register it first, as that plugin. It adds `GET /auth/login?returnTo=/path`,
 * `GET /auth/callback` and `POST /auth/logout`.
 *
 * A request without a session is redirected to the login if it is a navigation; otherwise it gets
 * 401, with the address of the login in `login_url`. Tokens are refreshed when needed. Only a definite
 * answer of auth ends a session: while auth is unavailable, access tokens that are valid work.
 *
 * @throws TypeError when an option is missing or wrong
 * @throws KeyringError when the key file cannot be used
 * @example
 * ```ts
 * import { web } from '@latchkey/web'
 * import Fastify from 'fastify'
 * const app = Fastify()
 * const [issuer, baseUrl] = ['https://sso.example.com', 'https://orders.example.com']
 * await app.register(web, { issuer, baseUrl, clientId: 'orders', keys, verifier })
 * app.get('/', async (request) => `Hello ${request.user.sub}`)
 * ```
 */
export const web = fp<WebOptions>(
  async (app, options) => {
    const settings = readOptions(options)
    app.addHook('onClose', async () => settings.close())
    const context = createContext(settings, app.prefix)
    const guard = new Guard(context)
    app.addHook('onRequest', (request, reply) => guard.attachToken(request, reply))
    await app.register(latchkey, { verifier: settings.verifier })
    app.addHook('onSend', (request, reply, payload) => guard.finish(request, reply, payload))
    app.register(loginRoutes, context)
    app.register(logoutRoute, context)
  },
  { name: '@latchkey/web', fastify: '5.x' },
)
