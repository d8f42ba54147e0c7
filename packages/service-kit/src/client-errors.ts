import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { ProblemError, problemBody } from './problem.ts'
import { newRequestId } from './request-id.ts'

/** Node's errors that have a code of their own. All others become `malformed_request`. */
const known: Record<string, [status: number, code: string, detail: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'request_timeout', 'The request took too long to arrive.'],
  HPE_HEADER_OVERFLOW: [431, 'headers_too_large', 'The request headers are too large.'],
}

/** Answers a request that Node's parser has refused, and closes the connection. */
export function answerClientError(err: NodeJS.ErrnoException, socket: Socket): void {
  if (err.code === 'ECONNRESET' || socket.destroyed) return
  const problem = new ProblemError(
    ...(known[err.code ?? ''] ??
      ([400, 'malformed_request', 'The request is not valid HTTP.'] as const)),
  )
  const { statusCode: status } = problem
  const body = JSON.stringify(problemBody(problem, newRequestId()))
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/problem+json\r\n` +
        'Cache-Control: no-store\r\nConnection: close\r\nContent-Length: ' +
        `${body.length}\r\n\r\n${body}`,
    )
  }
  socket.destroy(err)
}
