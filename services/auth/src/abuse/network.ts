import { normalizeIP } from '@fastify/rate-limit'

/**
 * The network a request counts for: the IPv4 address, or the /64 of an IPv6 address, as one
 * subscriber holds at least that many.
 */
export const networkOf = ({ ip }: { ip: string }): string => normalizeIP(ip, 64)
