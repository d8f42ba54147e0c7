import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'

/** Members redacted from logs, at the top level and one level below. */
const secretMembers = [
  'authorization',
  'cookie',
  'password',
  'new_password',
  'access_token',
  'refresh_token',
  'connectionString',
  'secret',
  'k',
]

/**
 * Options of the logger (pino, JSON lines).
 *
 * Requests are logged without query string and headers. Errors are logged without the driver's
 * `detail`, which repeats column values. Members named like secrets are redacted.
 */
export function loggerOptions(name: string, instance: string, level: string) {
  return {
    level,
    base: { service: name, instance },
    redact: {
      paths: secretMembers.flatMap((member) => [member, `*.${member}`]),
      censor: '[redacted]',
    },
    serializers: {
      req: (request: FastifyRequest) => ({
        method: request.method,
        path: pathOf(request.raw),
        remote: request.ip,
      }),
      err: serializeError,
    },
  }
}

/** The path of a request, without what may contain a token: the query string, and a fragment. */
export function pathOf({ url = '' }: Pick<IncomingMessage, 'url'>): string {
  return url.split(/[?#]/, 1)[0] ?? ''
}

// biome-ignore lint/suspicious/noExplicitAny: pino's serializers are typed so
function serializeError(err: any) {
  return {
    type: err?.name,
    code: err?.code,
    message: err?.message,
    stack: err?.stack,
    ...(err?.cause !== undefined && { cause: String(err.cause?.message ?? err.cause) }),
  }
}
