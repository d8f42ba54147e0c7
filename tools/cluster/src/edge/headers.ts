import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** Speak of one connection and are never passed on (RFC 9110 section 7.6.1). */
const hopByHop = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** Set by the edge alone: a client that sends them would invent its address or its host. */
const ownedByEdge = [
  'expect',
  'forwarded',
  'host',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-real-ip',
  'x-request-id',
]

const requestHeadersDropped = new Set([...hopByHop, ...ownedByEdge])
const safeRequestId = /^[\w.:-]{1,100}$/

/** The client's request id where it is fit for logs, else a new one. */
export function requestIdOf(request: IncomingMessage): string {
  const id = request.headers['x-request-id']
  return typeof id === 'string' && safeRequestId.test(id) ? id : randomUUID()
}

/**
 * The headers to send upstream, as undici's flat list. Repeated fields stay repeated: whether two
 * `Authorization` headers are an error is the service's to say.
 */
export function upstreamHeaders(request: IncomingMessage, requestId: string): string[] {
  const named = namedByConnection(request.headers.connection)
  const headers: string[] = []
  const { rawHeaders } = request
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (requestHeadersDropped.has(name) || named.includes(name)) continue
    headers.push(name, rawHeaders[at + 1] ?? '')
  }
  headers.push('x-request-id', requestId)
  headers.push('x-forwarded-for', clientAddress(request), 'x-forwarded-proto', 'http')
  if (request.headers.host) headers.push('x-forwarded-host', request.headers.host)
  return headers
}

/** The upstream's headers as the client gets them. */
export function clientHeaders(
  headers: IncomingHttpHeaders,
  requestId: string,
): IncomingHttpHeaders {
  const passed: IncomingHttpHeaders = { 'x-request-id': requestId, ...headers }
  const named = namedByConnection(headers.connection)
  for (const name of [...hopByHop, ...named]) delete passed[name]
  return passed
}

function namedByConnection(value: string | undefined): string[] {
  return value ? value.split(',').map((name) => name.trim().toLowerCase()) : []
}

/** An IPv4 client of a dual-stack socket shows as `::ffff:127.0.0.1`. */
function clientAddress({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:/, '')
}
