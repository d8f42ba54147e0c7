import { isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { findItemMistake } from './setting-lists.ts'

/** Names of ranges that `@fastify/proxy-addr` knows. */
const rangeNames = new Set(['loopback', 'linklocal', 'uniquelocal'])
const maxHops = 32

const splitItems = (text: string) => text.split(/ *, */)

/** @returns what is wrong with `LATCHKEY_TRUST_PROXY`, as the end of a sentence */
export function findProxyMistake(text: string): string | undefined {
  if (/^(true|false|\*)$/i.test(text)) {
    return (
      'must name the trusted proxies or the number of hops; trusting every peer would let ' +
      'clients forge their address'
    )
  }
  if (/^\d+$/.test(text)) {
    return Number(text) <= maxHops ? undefined : `must be a number of hops from 0 to ${maxHops}`
  }
  return findItemMistake(splitItems(text), 'commas', isRange)
}

/** Whether a text is an address, a CIDR range, or the name of a range. */
function isRange(text: string): boolean {
  if (rangeNames.has(text)) return true
  const [address = '', bits, ...rest] = text.split('/')
  const family = isIP(address)
  if (family === 0 || address.includes('%') || rest.length > 0) return false
  // A range of 0 bits would trust every peer.
  return (
    bits === undefined || (/^[1-9]\d*$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128))
  )
}

/**
 * Fastify's `trustProxy`. A number of hops becomes a function, because Fastify trusts no peer for a
 * number: it cannot check that requests really come through that many proxies.
 */
export function trustProxyOf(text: string | undefined) {
  if (text === undefined) return false
  const mistake = findProxyMistake(text)
  if (mistake !== undefined) throw new TypeError(`LATCHKEY_TRUST_PROXY ${mistake}`)
  if (!/^\d+$/.test(text)) return splitItems(text)
  const hops = Number(text)
  return (_address: string, hop: number) => hop < hops
}

/**
 * Logs one warning when a peer that is not trusted sends `X-Forwarded-For`. If the peer is a proxy,
 * all clients behind it would share its address, and so one rate limit.
 */
export function warnOfUntrustedProxy(app: FastifyInstance): void {
  let warned = false
  app.addHook('onRequest', async (request) => {
    if (warned || request.headers['x-forwarded-for'] === undefined) return
    // With trusted proxies, `ips` begins with the peer and ends with the client.
    if ((request.ips?.length ?? 1) > 1) return
    const peer = request.socket.remoteAddress
    if (peer === undefined) return // The client has reset the connection.
    warned = true
    request.log.warn(
      { peer },
      'X-Forwarded-For ignored, because LATCHKEY_TRUST_PROXY does not name this peer; ' +
        'if it is a proxy, all its clients share one address and one rate limit',
    )
  })
}
