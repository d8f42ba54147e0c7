import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { requestIdOf } from '@latchkey/service-kit/request-id'
import { forward } from './forward.ts'
import { type FrontPage, frontPageHeaders, renderFrontPage } from './front-page.ts'
import { answerProblem } from './problem.ts'
import { type Routes, Upstream, UpstreamGroup } from './upstreams.ts'

export interface EdgeOptions {
  /**
   * Largest request body, in bytes; default 64 KiB, the limit of the services. Bodies are read
   * completely before they are forwarded.
   */
  readonly maxBodyBytes?: number
  /** Time between two health checks of an instance; default 1,000. */
  readonly checkIntervalMs?: number
  /** How long an instance may take to start its response; default 30,000. */
  readonly headersTimeoutMs?: number
  /** Called for every failed attempt to reach an instance. */
  readonly onEvent?: (event: { upstream: string; request_id: string; error: string }) => void
}

export interface Edge {
  readonly server: Server
  /**
   * Replaces the routes, with immediate effect for new requests. Resolves when the removed
   * instances have answered all their requests.
   */
  route(routes: Routes): Promise<void>
  /** Answers `GET /` with a page for people. */
  setFrontPage(page: FrontPage): void
  close(): Promise<void>
}

/**
 * Creates a load balancer for `/<service>/…`, where it removes the prefix, and for
 * `<service>.localhost`. It uses the instances strictly in turn, without stickiness. Every wait and
 * every size is bounded.
 */
export function createEdge(options: EdgeOptions = {}): Edge {
  const { maxBodyBytes = 64 * 1024, checkIntervalMs = 1_000, headersTimeoutMs = 30_000 } = options
  const groups = new Map<string, UpstreamGroup>()
  let frontPage: string | undefined
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      connectionsCheckingInterval: 2_000, // How often Node enforces the two timeouts above.
      keepAliveTimeout: 75_000, // Longer than clients use: if the server closed first, it could lose a request.
      maxHeaderSize: 15 * 1024, // The services accept 16 KiB, and the edge adds headers.
    },
    handle,
  )
  server.maxConnections = 4_096
  server.on('clientError', rejectMalformed)

  const checking = setInterval(() => {
    for (const { members } of groups.values()) for (const member of members) void member.check()
  }, checkIntervalMs)
  checking.unref()

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const requestId = requestIdOf(request)
    if (!server.listening) response.setHeader('connection', 'close')
    if (isAmbiguous(request)) {
      answerProblem(response, 'malformed_request', requestId)
      return
    }
    const { service, rest } = findTarget(request)
    if (service === '' && frontPage !== undefined) {
      response.writeHead(200, frontPageHeaders).end(request.method === 'HEAD' ? '' : frontPage)
      return
    }
    const group = groups.get(service)
    if (!group || isInternal(rest)) {
      answerProblem(response, 'route_unknown', requestId)
      return
    }
    const onFailure = (upstream: Upstream, err: Error) => {
      void upstream.reportFailure(err)
      options.onEvent?.({ upstream: upstream.name, request_id: requestId, error: err.message })
    }
    const path = rest.startsWith('/') ? rest : `/${rest}`
    void forward(group, { request, response, path, requestId, maxBodyBytes, onFailure })
  }

  return {
    server,
    async route(routes) {
      const removed: Upstream[] = []
      for (const service of new Set([...groups.keys(), ...Object.keys(routes)])) {
        const group = groups.get(service) ?? new UpstreamGroup()
        groups.set(service, group)
        const before = group.members
        group.members = (routes[service] ?? []).map(
          (address) =>
            before.find(({ origin }) => origin === address.origin) ??
            new Upstream(address, headersTimeoutMs),
        )
        removed.push(...before.filter((member) => !group.members.includes(member)))
      }
      await Promise.all(removed.map((member) => member.drain()))
    },
    setFrontPage(page) {
      frontPage = renderFrontPage(page)
    },
    async close() {
      clearInterval(checking)
      // Connections with a request in progress become idle later.
      const closingIdle = setInterval(() => server.closeIdleConnections(), 50)
      await new Promise((resolve) => server.close(resolve))
      clearInterval(closingIdle)
      const members = [...groups.values()].flatMap((group) => group.members)
      await Promise.all(members.map((member) => member.destroy()))
    },
  }
}

/** The service that a request is for, and what follows it; neither for the front page. */
function findTarget({ url = '', headers }: IncomingMessage): { service: string; rest: string } {
  const [, host] = /^([\w-]+)\.localhost(?::\d+)?$/i.exec(headers.host ?? '') ?? []
  if (host !== undefined) return { service: host.toLowerCase(), rest: url }
  const [, service = '', rest = ''] = /^\/([^/?]+)(.*)$/s.exec(url) ?? []
  return { service: url === '/' ? '' : service || '/', rest }
}

/** A fragment, or a second `Host`: servers disagree on what such a request asks for. */
function isAmbiguous({ url = '', rawHeaders }: IncomingMessage): boolean {
  const hosts = rawHeaders.filter((name, at) => at % 2 === 0 && name.toLowerCase() === 'host')
  return url.includes('#') || hosts.length > 1
}

/** What only the cluster and its monitoring ask for, however the path is spelled. */
function isInternal(path: string): boolean {
  const [encoded = ''] = path.split(/[?;]/, 1)
  try {
    const { pathname } = new URL(`http://edge${encoded}`) // Resolves dot segments.
    return /^\/*(metrics|readyz)\/*$/i.test(decodeURIComponent(pathname))
  } catch {
    return false
  }
}

/** Answers a request that is not valid HTTP, and closes the connection. */
function rejectMalformed(err: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || err.code === 'ECONNRESET') return void socket.destroy()
  const tooLate = err.code === 'ERR_HTTP_REQUEST_TIMEOUT'
  const status = err.code === 'HPE_HEADER_OVERFLOW' ? 431 : tooLate ? 408 : 400
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
  )
}
