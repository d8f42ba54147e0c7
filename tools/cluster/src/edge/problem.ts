import { type ServerResponse, STATUS_CODES } from 'node:http'

/** The answers of the edge itself. Everything else comes from a service. */
const problems = {
  malformed_request: [400, 'The request is malformed and cannot be forwarded.'],
  route_unknown: [404, 'No service is published at this path.'],
  body_too_large: [413, 'The body is larger than the edge accepts.'],
  upstream_interrupted: [
    502,
    'The connection to the instance was lost before it answered; the request may have been processed.',
  ],
  upstream_unavailable: [503, 'No instance of this service can be reached. Try again shortly.'],
  upstream_timeout: [
    504,
    'The instance did not answer in time; the request may have been processed.',
  ],
} as const

/** Stable codes. */
export type EdgeCode = keyof typeof problems

/** Answers with an RFC 9457 problem of the same shape as the services'. */
export function answerProblem(response: ServerResponse, code: EdgeCode, requestId: string): void {
  const [status, detail] = problems[code]
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-request-id': requestId,
    ...(status === 503 && { 'retry-after': '1' }),
  })
  const title = STATUS_CODES[status]
  const problem = { type: 'about:blank', title, status, code, detail, request_id: requestId }
  response.end(JSON.stringify(problem))
}
