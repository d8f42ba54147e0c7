import { ProblemError } from '@latchkey/service-kit'
import type { FastifyRequest } from 'fastify'

const safeMethods = ['GET', 'HEAD', 'OPTIONS']

/**
 * An `onRequest` hook: refuses a form that another origin sends (CSRF). Browsers say where a request
 * comes from in `Sec-Fetch-Site` (W3C Fetch Metadata); to a URL that is neither https nor on this
 * machine, and before 2023, some send only `Origin` (RFC 6454).
 *
 * @throws ProblemError 403 `cross_site_request`
 */
export function refuseCrossSite(issuer: string) {
  const { origin } = new URL(issuer)
  return async ({ method, headers }: FastifyRequest) => {
    if (safeMethods.includes(method)) return
    const site = headers['sec-fetch-site']
    const isSameOrigin = site === undefined ? headers.origin === origin : site === 'same-origin'
    if (isSameOrigin) return
    throw new ProblemError(
      403,
      'cross_site_request',
      'The form was sent from another origin. Open the page again and repeat the input.',
    )
  }
}
