import type { FastifyRequest } from 'fastify'

const safeMethods = ['GET', 'HEAD', 'OPTIONS']

/** Whether a request may change something. A WebSocket opens with a GET, and then does. */
export const isUnsafe = ({ method, headers }: FastifyRequest): boolean =>
  !safeMethods.includes(method) || Boolean(headers.upgrade)

/**
 * Whether a page of this app has sent a request (W3C Fetch Metadata). Browsers before 2023, and those
 * that see neither https nor localhost, send only `Origin` (RFC 6454).
 */
export function isSameOrigin({ headers }: FastifyRequest, { origin }: URL): boolean {
  const site = headers['sec-fetch-site']
  return site === undefined ? headers.origin === origin : site === 'same-origin'
}

/** Whether the answer to a request is shown as a page, and may be a redirect to the login. */
export function isNavigation({ method, headers }: FastifyRequest): boolean {
  if (method !== 'GET' && method !== 'HEAD') return false
  const mode = headers['sec-fetch-mode']
  return mode === undefined ? /\btext\/html\b/.test(headers.accept ?? '') : mode === 'navigate'
}
