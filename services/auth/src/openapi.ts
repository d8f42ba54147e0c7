import swaggerUi from '@fastify/swagger-ui'
import { openapi as description } from '@latchkey/service-kit'
import fp from 'fastify-plugin'

/** The OpenAPI description: a page at `/docs`, and JSON at `/docs/json`. */
export const openapi = fp(
  async (app) => {
    await app.register(description, {
      title: 'Latchkey auth',
      description: 'Checks a password once and issues short-lived signed tokens.',
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
      await docs.register(swaggerUi, { routePrefix: '/docs' })
    })
  },
  { name: 'docs', fastify: '5.x' },
)
