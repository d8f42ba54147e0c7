import type { FastifyInstance } from 'fastify'
import { ProblemError } from './problem.ts'

/**
 * Parses JSON bodies, and refuses those that are not UTF-8 (RFC 8259 section 8.1). Otherwise each
 * wrong byte would become U+FFFD, and different passwords would be equal.
 *
 * An empty body counts as absent, because some clients send the content type with every request. The
 * schema of a route decides whether it requires one.
 */
export function parseJsonBodies(app: FastifyInstance): void {
  const parseText = app.getDefaultJsonParser('error', 'error')
  const decoder = new TextDecoder('utf-8', { fatal: true })
  app.removeContentTypeParser('application/json')
  app.addContentTypeParser<Buffer>(
    'application/json',
    { parseAs: 'buffer' },
    (request, body, done) => {
      if (body.length === 0) return done(null, undefined)
      let text: string
      try {
        text = decoder.decode(body)
      } catch {
        return done(new ProblemError(400, 'invalid_text', 'The body is not valid UTF-8.'))
      }
      void parseText(request, text, done)
    },
  )
}
