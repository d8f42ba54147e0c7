import type { IncomingMessage } from 'node:http'
import { ProblemError } from './problem.ts'

/**
 * A path, perhaps with a query string, of the characters that RFC 3986 permits: no fragment, no raw
 * byte above ASCII, no backslash. Node's parser accepts these, and an edge may read them otherwise.
 */
const originForm = /^\/[!$-[\]-~]*$/

/** `uri-host [ ":" port ]` of RFC 9112 section 3.2, without a user name. */
const host = /^[\w.~!$&'()*+;=%:[\]-]*$/

/**
 * Refuses a request that an edge could understand in another way than this service.
 *
 * @throws ProblemError 400 `malformed_request` for a target that is not a path (no client
 *   sends another form of RFC 9112 section 3.2 to a server that is not a proxy), and for a `Host`
 *   that is missing, repeated or not a host name
 */
export function refuseAmbiguousRequest(request: IncomingMessage): void {
  const { url = '', rawHeaders, httpVersion } = request
  if (!originForm.test(url)) {
    throw new ProblemError(400, 'malformed_request', 'The request target is not a valid path.')
  }
  const hosts = rawHeaders.filter((_, at) => at % 2 === 1 && isHost(rawHeaders[at - 1]))
  const isMissing = hosts.length === 0 && httpVersion === '1.1'
  if (isMissing || hosts.length > 1 || !host.test(hosts[0] ?? '')) {
    throw new ProblemError(
      400,
      'malformed_request',
      'The Host header is missing, repeated or not valid.',
    )
  }
}

const isHost = (name = '') => name.toLowerCase() === 'host'
