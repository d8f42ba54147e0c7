import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { LogController } from 'fastify'
import { answerProblem } from './error-handler.ts'
import { health } from './health.ts'
import { loggerOptions } from './logging.ts'
import { metrics } from './metrics.ts'
import { overload } from './overload.ts'
import { ProblemError } from './problem.ts'
import { requestIdOf } from './request-id.ts'
import { createSecurityHeaders } from './security-headers.ts'
import type { ServiceConfig } from './settings.ts'
import { refuseUnstorableText } from './storable-text.ts'
import { trustProxyOf, warnOfUntrustedProxy } from './trust-proxy.ts'
import { createValidatorCompiler } from './validation.ts'

interface ServerOptions {
  /** The service's name, for example `orders`. */
  name: string
  config: Pick<
    ServiceConfig,
    | 'LATCHKEY_INSTANCE'
    | 'LATCHKEY_ISSUER'
    | 'LATCHKEY_LOG_LEVEL'
    | 'LATCHKEY_SERVED_BY_HEADER'
    | 'LATCHKEY_TRUST_PROXY'
  >
}

/** The Fastify server of a service, with what every service has. */
export type Service = ReturnType<typeof createServer>

/** Largest request body, in bytes. */
const bodyLimitBytes = 64 * 1024

/**
 * Creates a Fastify server with JSON logs without secrets, request IDs, problem responses (RFC
 * 9457), security headers, `/livez`, `/readyz` and `/metrics`.
 */
export function createServer({ name, config }: ServerOptions) {
  const instance = config.LATCHKEY_INSTANCE
  const headers = createSecurityHeaders(config.LATCHKEY_ISSUER)
  const app = Fastify({
    logger: loggerOptions(name, instance, config.LATCHKEY_LOG_LEVEL),
    trustProxy: trustProxyOf(config.LATCHKEY_TRUST_PROXY),
    // The hook below writes one line per request, when it is answered.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    requestTimeout: 30_000,
    connectionTimeout: 60_000,
    // Requests already in flight are answered while closing.
    return503OnClosing: false,
    genReqId: requestIdOf,
    frameworkErrors: (err, request, reply) => {
      void answerProblem(err, request, reply)
    },
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.decorateReply('problemCode', undefined)
  app.removeContentTypeParser('text/plain')
  app.setValidatorCompiler(createValidatorCompiler())
  app.setErrorHandler(answerProblem)
  app.setNotFoundHandler(async () => {
    throw new ProblemError(404, 'not_found', 'No route matches this method and path.')
  })
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(headers)
    reply.header('x-request-id', request.id)
    if (config.LATCHKEY_SERVED_BY_HEADER) reply.header('x-served-by', instance)
  })
  warnOfUntrustedProxy(app)
  app.addHook('preValidation', async (request) => {
    refuseUnstorableText(request.params)
    refuseUnstorableText(request.query)
    refuseUnstorableText(request.body)
  })
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode: status, elapsedTime, problemCode: code } = reply
    request.log.info(
      { req: request, status, code, ms: Math.round(elapsedTime) },
      'request answered',
    )
  })
  app.addHook('onSend', async (_request, reply) => {
    // Otherwise the client would send its next request to a closing process.
    if (app.readiness.draining) reply.header('connection', 'close')
  })
  app.register(overload)
  app.register(health)
  app.register(metrics, { name, instance })
  return app
}
