import { isIP } from 'node:net'
import { normalizeIP } from '@fastify/rate-limit'

interface Peer {
  /** Undefined, like the address of its socket, when the client has reset the connection. */
  ip: string | undefined
  socket: { remoteAddress?: string | undefined }
}

/**
 * The network a request counts against: its IPv4 address, or the /64 of its IPv6 address, because
 * one subscriber has at least that many addresses.
 *
 * Some proxies put more or less than an address into `X-Forwarded-For`. A port is ignored; when the
 * value is not an address (`unknown`), the request counts against the proxy.
 *
 * Behind a NAT64 gateway every IPv4 client has an address in one /64. The IPv4 address counts.
 */
export function networkOf({ ip: address, socket }: Peer): string {
  const candidates = [address ?? '', socket.remoteAddress ?? ''].map(stripPortAndZone)
  // `::` stands for unknown: the socket is already closed.
  const ip = candidates.find((text) => isIP(text) !== 0) ?? '::'
  return embeddedIpv4(ip) ?? normalizeIP(ip, 64)
}

/** The IPv4 address in an address with the prefix of NAT64 (RFC 6052 section 2.1). */
function embeddedIpv4(ip: string): string | undefined {
  if (isIP(ip) !== 6) return undefined
  // `URL` writes every spelling of an address in the same way (RFC 5952).
  const { hostname } = new URL(`http://[${ip}]`)
  const [, high, low] = /^\[64:ff9b::([\da-f]{1,4}):([\da-f]{1,4})\]$/.exec(hostname) ?? []
  if (high === undefined || low === undefined) return undefined
  const bytes = Buffer.from(high.padStart(4, '0') + low.padStart(4, '0'), 'hex')
  return bytes.join('.')
}

/** Strips port, brackets and zone: `[fe80::1%eth0]:443` becomes `fe80::1`. */
function stripPortAndZone(text: string): string {
  const [, bracketed, v4] = /^(?:\[([^\]]*)\](?::\d+)?|([^:]*):\d+)$/.exec(text.trim()) ?? []
  return (bracketed ?? v4 ?? text.trim()).replace(/%.*$/, '')
}
