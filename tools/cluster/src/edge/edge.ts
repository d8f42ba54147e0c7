import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { forward } from './forward.ts'
import { requestIdOf } from './headers.ts'
import { answerProblem } from './problem.ts'
import { type Routes, Upstream, UpstreamGroup, type UpstreamTimeouts } from './upstreams.ts'

/** What the edge is told at its start; times in milliseconds. */
export interface EdgeOptions extends Partial<UpstreamTimeouts> {
  /**
   * Largest request body passed on, in bytes; default 64 KiB, as much as a service takes. A body that a
   * service refuses half-way would be a lost connection here, and not the service's 413.
   */
  readonly maxBodyBytes?: number
  /** Time between two checks of an instance; default 1,000. */
  readonly checkIntervalMs?: number
  /** How long a removed instance may take to answer what it has; default 10,000. */
  readonly drainTimeoutMs?: number
  /** Told what goes wrong with which instance. */
  readonly onEvent?: (event: EdgeEvent) => void
}

/** A failed attempt, as one line of the edge's log. */
interface EdgeEvent {
  readonly upstream: string
  readonly request_id: string
  readonly error: string
}

/** The load balancer: a server to listen with, and its routes. */
export interface Edge {
  readonly server: Server
  /**
   * Replaces the routes. New requests follow the new ones at once; resolves when the instances that
   * are no longer named have answered all that they were given.
   */
  route(routes: Routes): Promise<void>
  close(): Promise<void>
}

/**
 * A load balancer for `/<service>/…`: the prefix is taken off, instances are taken strictly in turn,
 * no client sticks to one. Every wait and size is bounded.
 */
export function createEdge(options: EdgeOptions = {}): Edge {
  const { maxBodyBytes = 64 * 1024, checkIntervalMs = 1_000, drainTimeoutMs = 10_000 } = options
  const timeouts = {
    connectTimeoutMs: options.connectTimeoutMs ?? 2_000,
    headersTimeoutMs: options.headersTimeoutMs ?? 30_000,
    bodyTimeoutMs: options.bodyTimeoutMs ?? 30_000,
  }
  const groups = new Map<string, UpstreamGroup>()
  const server = createServer(
    {
      headersTimeout: 10_000,
      requestTimeout: 60_000,
      connectionsCheckingInterval: 2_000, // How often the two are looked at.
      keepAliveTimeout: 75_000, // Longer than clients keep theirs: the side that closes first wins no race.
      maxHeaderSize: 16 * 1024,
    },
    handle,
  )
  server.maxConnections = 4_096
  server.on('clientError', refuseMalformed)

  const checking = setInterval(() => {
    for (const { members } of groups.values()) for (const member of members) void member.check()
  }, checkIntervalMs)
  checking.unref()

  function handle(request: IncomingMessage, response: ServerResponse): void {
    const requestId = requestIdOf(request)
    if (!server.listening) response.setHeader('connection', 'close')
    const [, service = '', path = ''] = /^\/([^/?]+)(.*)$/s.exec(request.url ?? '') ?? []
    const group = groups.get(service)
    if (!group || isInternal(path)) {
      answerProblem(response, 'route_unknown', requestId)
      return
    }
    const onFailure = (upstream: Upstream, err: Error) => {
      void upstream.lost(err)
      options.onEvent?.({ upstream: upstream.name, request_id: requestId, error: err.message })
    }
    const absolutePath = path.startsWith('/') ? path : `/${path}`
    forward(group, { request, response, path: absolutePath, requestId, maxBodyBytes, onFailure })
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
            new Upstream(address, timeouts),
        )
        removed.push(...before.filter((member) => !group.members.includes(member)))
      }
      await Promise.all(removed.map((member) => member.drain(drainTimeoutMs)))
    },
    async close() {
      clearInterval(checking)
      // Connections whose answer is still on its way fall idle later.
      const closingIdle = setInterval(() => server.closeIdleConnections(), 50)
      await new Promise((resolve) => server.close(resolve))
      clearInterval(closingIdle)
      const members = [...groups.values()].flatMap((group) => group.members)
      await Promise.all(members.map((member) => member.pool.destroy()))
    },
  }
}

/** Metrics are for who scrapes the instances, not for who reaches the edge, however it is spelt. */
function isInternal(path: string): boolean {
  const [encoded = ''] = path.split('?', 1)
  try {
    return /^\/*metrics\/*$/i.test(decodeURIComponent(encoded))
  } catch {
    return false
  }
}

/** What is not HTTP gets the shortest honest answer; the connection is of no more use. */
function refuseMalformed(err: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || err.code === 'ECONNRESET') return void socket.destroy()
  const status =
    err.code === 'HPE_HEADER_OVERFLOW'
      ? '431 Request Header Fields Too Large'
      : err.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? '408 Request Timeout'
        : '400 Bad Request'
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
