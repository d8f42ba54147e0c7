import { isIP } from 'node:net'
import { normalizeIP } from '@fastify/rate-limit'

interface Peer {
  ip: string
  socket: { remoteAddress?: string | undefined }
}

/**
 * The network a request counts for: the IPv4 address, or the /64 of an IPv6 address, as one
 * subscriber holds at least that many.
 *
 * Some proxies say more or less than an address in `X-Forwarded-For`: a port is left out, and for what
 * is no address (`unknown`) the proxy itself counts.
 */
export function networkOf({ ip, socket }: Peer): string {
  const address = [bare(ip), bare(socket.remoteAddress ?? '')].find((text) => isIP(text) !== 0)
  // `::` is nobody: the connection is gone already.
  return normalizeIP(address ?? '::', 64)
}

/** Without port, brackets and zone: `[fe80::1%eth0]:443` is `fe80::1`. */
function bare(text: string): string {
  const [, bracketed, v4] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(text.trim()) ?? []
  return (bracketed ?? v4 ?? text.trim()).replace(/%.*$/, '')
}
