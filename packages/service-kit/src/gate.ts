import type { IncomingMessage, ServerResponse } from 'node:http'
import fp from 'fastify-plugin'
import { type ProblemError, problemBody } from './problem.ts'
import { requestIdOf } from './request-id.ts'

/** Refuses a request by its method and path, or lets it pass. */
type GateCheck = (request: IncomingMessage) => ProblemError | undefined

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * Refuses requests before anything is done for them: no body, no hook, no line in the log. A flood that is
     * refused so costs a fifth of one that is refused in a route. (`inject` passes by it.)
     *
     * A shortcut, not the rule: the path is as it was sent, and `/%6cogin` or `/login?a` reach the same
     * route. The route has to check too.
     */
    refuseAtGate: (check: GateCheck) => void
  }
}

/** Stands between Node's HTTP server and Fastify. */
export const gate = fp<{ instance: string }>(
  async (app, { instance }) => {
    const checks: GateCheck[] = []
    app.decorate('refuseAtGate', (check) => {
      checks.push(check)
    })
    const [handle] = app.server.listeners('request')
    app.server.removeAllListeners('request')
    app.server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      for (const check of checks) {
        const problem = check(request)
        if (problem) return void answer(request, response, problem)
      }
      handle?.call(app.server, request, response)
    })

    function answer(request: IncomingMessage, response: ServerResponse, problem: ProblemError) {
      const id = requestIdOf(request)
      const body = JSON.stringify(problemBody(problem, id))
      response.writeHead(problem.statusCode, {
        'content-type': 'application/problem+json',
        'content-length': Buffer.byteLength(body),
        'x-content-type-options': 'nosniff',
        'x-request-id': id,
        'x-served-by': instance,
        ...problem.headers,
      })
      response.end(body)
    }
  },
  { name: 'gate', fastify: '5.x' },
)
