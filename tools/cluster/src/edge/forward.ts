import type { IncomingMessage, ServerResponse } from 'node:http'
import { Transform } from 'node:stream'
import type { Dispatcher } from 'undici'
import { clientHeaders, upstreamHeaders } from './headers.ts'
import { answerProblem, type EdgeCode } from './problem.ts'
import type { Upstream, UpstreamGroup } from './upstreams.ts'

/** One request on its way through the edge. */
export interface Forwarding {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** The path to ask the service for, its prefix taken off. */
  readonly path: string
  readonly requestId: string
  readonly maxBodyBytes: number
  /** Told of every attempt that failed. */
  readonly onFailure: (upstream: Upstream, err: Error) => void
}

class BodyTooLarge extends Error {}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Passes a request to an instance and streams its answer back.
 *
 * When the connection fails, another instance is tried: always if nothing was sent yet, and after
 * that only for a safe method without a body (RFC 9110 section 9.2.1), as long as no byte of an answer
 * has reached the client. Anything else may have been carried out and is not repeated.
 */
export function forward(group: UpstreamGroup, forwarding: Forwarding): void {
  const { request, response, path, requestId, maxBodyBytes, onFailure } = forwarding
  if (Number(request.headers['content-length'] ?? 0) > maxBodyBytes) {
    answerProblem(response, 'body_too_large', requestId)
    return
  }
  const method = request.method ?? 'GET'
  const body = hasBody(request) ? limitBody(request, maxBodyBytes) : null
  const repeatable = body === null && safeMethods.has(method)
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
    const end = upstream.begin()
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart(controller) {
        sent = true
        cancel = () => controller.abort(new Error('the client went away'))
        if (response.destroyed) cancel()
      },
      onResponseStart(_controller, status, upstreamFields) {
        if (status < 200) return
        response.writeHead(status, clientHeaders(upstreamFields, requestId))
      },
      onResponseData(controller, chunk) {
        if (response.write(chunk)) return
        controller.pause()
        response.once('drain', () => controller.resume())
      },
      onResponseEnd() {
        end()
        response.end()
      },
      onResponseError(_controller, err) {
        end()
        if (response.destroyed) return
        const fault = clientFault(err)
        if (!fault) onFailure(upstream, err)
        if (response.headersSent) response.destroy()
        else if (fault) fail(fault)
        else if (isTimeout(err)) fail('upstream_timeout')
        else if (!sent || repeatable) attempt(sent ? 'upstream_interrupted' : lastFailure)
        else fail('upstream_interrupted')
      },
    }
    upstream.pool.dispatch({ path, method, headers, body }, handler)
  }

  function fail(code: EdgeCode): void {
    answerProblem(response, code, requestId)
  }
}

/** What the client did wrong, where the failure is not the instance's. */
function clientFault(err: Error & { code?: string }): EdgeCode | undefined {
  if (err instanceof BodyTooLarge) return 'body_too_large'
  return err.code === 'UND_ERR_INVALID_ARG' ? 'malformed_request' : undefined
}

/** Sent, and no answer in time. (No connection in time is one more connection that failed.) */
function isTimeout(err: Error & { code?: string }): boolean {
  return err.code === 'UND_ERR_HEADERS_TIMEOUT' || err.code === 'UND_ERR_BODY_TIMEOUT'
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}

/**
 * The request's body as a stream that fails beyond `maxBytes`.
 *
 * It stands between client and upstream so that undici, which destroys a body it no longer needs,
 * never destroys the client's connection; what is left of the body is then read and dropped.
 */
function limitBody(request: IncomingMessage, maxBytes: number): Transform {
  let bytes = 0
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      done(bytes > maxBytes ? new BodyTooLarge('body too large') : null, chunk)
    },
  })
  limit.on('error', () => {})
  limit.once('close', () => {
    request.unpipe(limit)
    request.resume()
  })
  return request.pipe(limit)
}
