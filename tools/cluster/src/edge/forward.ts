import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import { clientHeaders, upstreamHeaders } from './headers.ts'
import { answerProblem, type EdgeCode } from './problem.ts'
import type { Upstream, UpstreamGroup } from './upstreams.ts'

export interface Forwarding {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The path for the service, without the service's prefix. */
  readonly path: string
  readonly requestId: string
  readonly maxBodyBytes: number
  /** Called for every failed attempt. */
  readonly onFailure: (upstream: Upstream, err: Error) => void
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Passes a request to an instance and streams its answer back. The request's body is read first.
 *
 * If the connection fails, or the instance stops answering its health checks, another instance is
 * tried: any request that was not sent yet, and after that only a safe method without a body (RFC
 * 9110 section 9.2.1), while no byte of an answer has reached the client. Any other request may have
 * been processed and is not repeated.
 */
export async function forward(group: UpstreamGroup, forwarding: Forwarding): Promise<void> {
  const { request, response, path, requestId, maxBodyBytes, onFailure } = forwarding
  const body = hasBody(request) ? await readBody(request, maxBodyBytes) : null
  if (body === 'too large') return fail('body_too_large')
  if (response.destroyed) return
  const method = request.method ?? 'GET'
  const isRepeatable = body === null && safeMethods.has(method)
  const headers = upstreamHeaders(request, requestId)
  const tried = new Set<Upstream>()
  let cancel: (() => void) | undefined

  response.once('close', () => {
    if (!response.writableFinished) cancel?.()
  })
  attempt()

  function attempt(lastFailure: EdgeCode = 'upstream_unavailable'): void {
    const upstream = group.next(tried)
    if (!upstream) {
      fail(lastFailure)
      return
    }
    tried.add(upstream)
    let sent = false
    let giveUp = () => {}
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        sent = true
        cancel = () => controller.abort(new Error('the client disconnected'))
        if (response.destroyed) cancel()
        giveUp = () => controller.abort(new Error('the instance fails its health checks'))
        if (isRepeatable) upstream.onUnhealthy.add(giveUp)
      },
      onResponseStart(_controller, status, upstreamFields) {
        if (status < 200) return
        upstream.onUnhealthy.delete(giveUp)
        response.writeHead(status, clientHeaders(upstreamFields, requestId))
      },
      onResponseData(controller, chunk) {
        if (response.write(chunk)) return
        controller.pause()
        response.once('drain', () => controller.resume())
      },
      onResponseEnd() {
        response.end()
      },
      onResponseError(_controller, err: Error & { code?: string }) {
        upstream.onUnhealthy.delete(giveUp)
        if (response.destroyed) return
        const isMalformed = err.code === 'UND_ERR_INVALID_ARG'
        if (!isMalformed) onFailure(upstream, err)
        if (response.headersSent) response.destroy()
        else if (isMalformed) fail('malformed_request')
        else if (isTimeout(err)) fail('upstream_timeout')
        else if (!sent || isRepeatable) attempt(sent ? 'upstream_interrupted' : lastFailure)
        else fail('upstream_interrupted')
      },
    }
    upstream.pool.dispatch({ path, method, headers, body }, handler)
  }

  function fail(code: EdgeCode): void {
    answerProblem(response, code, requestId)
  }
}

/** The request was sent and not answered in time. A connect timeout is a failed connection. */
function isTimeout({ code }: { code?: string }): boolean {
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/** Never settles if the client disconnects. The rest of a body that is too large is dropped. */
function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | 'too large'> {
  return new Promise((resolve) => {
    if (Number(request.headers['content-length'] ?? 0) > maxBytes) resolve('too large')
    const chunks: Buffer[] = []
    let bytes = 0
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > maxBytes) resolve('too large')
      else chunks.push(chunk)
    })
    request.once('end', () => resolve(Buffer.concat(chunks)))
  })
}
