import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'

/** They describe one connection and are never forwarded (RFC 9110 section 7.6.1). */
const hopByHop =
  /^(connection|keep-alive|proxy-(authenticate|authorization|connection)|te|trailer|transfer-encoding|upgrade)$/

/** Only the edge sets these: a client could use them to forge its address or the host. */
const ownedByEdge =
  /^(expect|forwarded|host|x-forwarded-(for|host|port|prefix|proto)|x-real-ip|x-request-id)$/

/**
 * The headers to send to the instance, as undici's flat list. Repeated fields stay repeated: the
 * service decides whether two `Authorization` headers are an error.
 */
export function upstreamHeaders(request: IncomingMessage, requestId: string): string[] {
  const named = splitConnection(request.headers.connection)
  const headers: string[] = []
  const { rawHeaders } = request
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]?.toLowerCase() ?? ''
    if (hopByHop.test(name) || ownedByEdge.test(name) || named.includes(name)) continue
    headers.push(name, rawHeaders[at + 1] ?? '')
  }
  headers.push('x-request-id', requestId)
  // On a dual-stack socket, an IPv4 address looks like `::ffff:127.0.0.1`.
  const clientAddress = (request.socket.remoteAddress ?? '').replace(/^::ffff:/, '')
  headers.push('x-forwarded-for', clientAddress, 'x-forwarded-proto', 'http')
  if (request.headers.host) headers.push('x-forwarded-host', request.headers.host)
  return headers
}

/** The instance's response headers, as the client receives them. */
export function clientHeaders(
  headers: IncomingHttpHeaders,
  requestId: string,
): IncomingHttpHeaders {
  const named = splitConnection(headers.connection)
  const kept = Object.entries(headers).filter(
    ([name]) => !hopByHop.test(name) && !named.includes(name),
  )
  return { 'x-request-id': requestId, ...Object.fromEntries(kept) }
}

/** The headers that `Connection` declares hop-by-hop. */
function splitConnection(value: string | undefined): string[] {
  return value ? value.split(',').map((name) => name.trim().toLowerCase()) : []
}
