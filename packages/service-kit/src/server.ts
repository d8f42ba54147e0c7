import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import { answerClientError } from './client-errors.ts'
import { allowOrigins } from './cors.ts'
import { answerProblem } from './error-handler.ts'
import { health } from './health.ts'
import { parseJsonBodies } from './json-body.ts'
import { loggerOptions } from './logging.ts'
import { metrics } from './metrics.ts'
import { overload } from './overload.ts'
import { ProblemError } from './problem.ts'
import { requestIdOf } from './request-id.ts'
import { refuseAmbiguousRequest } from './request-line.ts'
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
    | 'LATCHKEY_CORS_ORIGINS'
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

/** Longest time for a request to arrive, headers and body, in milliseconds. */
const requestTimeoutMs = 10_000
/** How often Node looks for slower requests, in milliseconds. */
const timeoutCheckMs = 1_000

/**
 * Creates a Fastify server with JSON logs without secrets, request IDs, problem responses (RFC
 * 9457), security headers, `/livez`, `/readyz` and `/metrics`.
 */
export function createServer({ name, config }: ServerOptions) {
  const instance = config.LATCHKEY_INSTANCE
  const headers = createSecurityHeaders(config.LATCHKEY_ISSUER)
  const addHeaders = (request: FastifyRequest, reply: FastifyReply) => {
    reply.headers(headers).header('x-request-id', request.id)
    if (config.LATCHKEY_SERVED_BY_HEADER) reply.header('x-served-by', instance)
  }
  const app = Fastify({
    logger: loggerOptions(name, instance, config.LATCHKEY_LOG_LEVEL),
    trustProxy: trustProxyOf(config.LATCHKEY_TRUST_PROXY),
    // The hook below writes one line per request, when it is answered.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: bodyLimitBytes,
    // A verifier reads all revocations before it listens; see `catchUp`.
    pluginTimeout: 60_000,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: 60_000,
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: timeoutCheckMs,
      // Without it, the problem below is the answer.
      requireHostHeader: false,
    },
    clientErrorHandler: answerClientError,
    // Requests already in flight are answered while closing.
    return503OnClosing: false,
    genReqId: requestIdOf,
    frameworkErrors: (err, request, reply) => {
      addHeaders(request, reply)
      void answerProblem(err, request, reply)
    },
  }).withTypeProvider<TypeBoxTypeProvider>()

  app.decorateReply('problemCode', undefined)
  app.removeContentTypeParser('text/plain')
  parseJsonBodies(app)
  app.setValidatorCompiler(createValidatorCompiler())
  app.setErrorHandler(answerProblem)
  app.setNotFoundHandler(async () => {
    throw new ProblemError(404, 'not_found', 'No route matches this method and path.')
  })
  app.addHook('onRequest', async (request, reply) => {
    addHeaders(request, reply)
    refuseAmbiguousRequest(request.raw)
  })
  allowOrigins(app, config.LATCHKEY_CORS_ORIGINS)
  warnOfUntrustedProxy(app)
  app.addHook('preValidation', async (request) => {
    refuseUnstorableText(request.params)
    refuseUnstorableText(request.query)
    refuseUnstorableText(request.body)
  })
  app.addHook('onResponse', async (request, reply) => {
    const { statusCode: status, elapsedTime, problemCode, refusalCode } = reply
    const code = problemCode ?? refusalCode
    // On a public route there is no user.
    const sub = (request.user as { sub?: string } | null | undefined)?.sub
    request.log.info(
      { req: request, status, code, sub, ms: Math.round(elapsedTime) },
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
