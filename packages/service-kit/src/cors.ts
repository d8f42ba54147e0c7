import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'

/** How long a browser may remember the answer to a preflight request, in seconds. */
const maxAgeSeconds = 600

/**
 * Lets browser apps on other origins call the service (CORS). Tokens travel in a header that the
 * app sets, so no credentials are allowed: no other site can use a cookie.
 *
 * Registered before the authentication, because a preflight request carries no token.
 */
export function allowOrigins(app: FastifyInstance, origins: string | undefined): void {
  if (!origins) return
  app.register(cors, {
    origin: origins.split(' '),
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'x-request-id'],
    exposedHeaders: ['retry-after', 'www-authenticate', 'x-request-id'],
    maxAge: maxAgeSeconds,
  })
}

/** Whether a text is an origin as browsers send it: scheme, host and port, without a slash. */
export const isOrigin = (text: string): boolean =>
  /^https?:/.test(text) && URL.parse(text)?.origin === text
