import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'

/** Members that never reach a log, at the top or one level down. */
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
 * Requests are logged without query string and headers, errors without the driver's `detail`
 * (which repeats column values); members named like secrets are replaced.
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

/** The path of a request without its query string, where people put tokens in spite of all advice. */
export function pathOf({ url = '' }: Pick<IncomingMessage, 'url'>): string {
  return url.split('?', 1)[0] ?? ''
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
