import { isIP } from 'node:net'
import { normalizeIP } from '@fastify/rate-limit'

interface Peer {
  ip: string
  socket: { remoteAddress?: string | undefined }
}

/**
 * The network a request counts against: its IPv4 address, or the /64 of its IPv6 address, because
 * one subscriber has at least that many addresses.
 *
 * Some proxies put more or less than an address into `X-Forwarded-For`. A port is ignored; when the
 * value is not an address (`unknown`), the request counts against the proxy.
 */
export function networkOf({ ip, socket }: Peer): string {
  const candidates = [ip, socket.remoteAddress ?? ''].map(stripPortAndZone)
  // `::` stands for unknown: the socket is already closed.
  return normalizeIP(candidates.find((text) => isIP(text) !== 0) ?? '::', 64)
}

/** Strips port, brackets and zone: `[fe80::1%eth0]:443` becomes `fe80::1`. */
function stripPortAndZone(text: string): string {
  const [, bracketed, v4] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(text.trim()) ?? []
  return (bracketed ?? v4 ?? text.trim()).replace(/%.*$/, '')
}
