import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'

/** OpenAPI made from the routes' schemas, at `/docs` for people and `/docs/json` for machines. */
export const docs = fp(
  async (app) => {
    await app.register(swagger, {
      hideUntagged: true,
      stripBasePath: false,
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Latchkey auth',
          description: 'Checks credentials once and issues short-lived signed tokens.',
          version: '1',
        },
        components: {
          securitySchemes: { accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
        },
        security: [{ accessToken: [] }],
        // Relative to where this description is served from.
        servers: [{ url: '..' }],
      },
    })
    await app.register(async (open) => {
      // From `docs/` on the page's links are relative, and so hold behind any prefix an edge takes off.
      open.addHook('onRequest', async ({ url }, reply) => {
        if (url === '/docs') return reply.redirect('docs/')
      })
      // The page and the description are public; the routes they describe are not.
      open.addHook('onRoute', (route) => {
        route.config = { ...route.config, public: true }
      })
      await open.register(swaggerUi, { routePrefix: '/docs', staticCSP: true })
    })
  },
  { name: 'docs', fastify: '5.x' },
)
