import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import fp from 'fastify-plugin'

/** OpenAPI generated from the routes' schemas: a page at `/docs`, and JSON at `/docs/json`. */
export const openapi = fp(
  async (app) => {
    await app.register(swagger, {
      hideUntagged: true,
      stripBasePath: false,
      openapi: {
        openapi: '3.1.0',
        info: {
          title: 'Latchkey auth',
          description: 'Checks a password once and issues short-lived signed tokens.',
          version: '1',
        },
        components: {
          securitySchemes: { accessToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
        },
        security: [{ accessToken: [] }],
        // Relative to the URL of this description.
        servers: [{ url: '..' }],
      },
    })
    await app.register(async (docs) => {
      // The page's links are relative to `docs/`, so that they work behind any prefix an edge
      // strips.
      docs.addHook('onRequest', async ({ url }, reply) => {
        if (url === '/docs') return reply.redirect('docs/')
      })
      // The page and the description are public; the routes they describe are not.
      docs.addHook('onRoute', (route) => {
        route.config = { ...route.config, public: true }
      })
      await docs.register(swaggerUi, { routePrefix: '/docs', staticCSP: true })
    })
  },
  { name: 'openapi', fastify: '5.x' },
)
