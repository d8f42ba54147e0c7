import { type ServerResponse, STATUS_CODES } from 'node:http'

/** What the edge itself answers; everything else comes from a service. */
const problems = {
  malformed_request: [400, 'The request cannot be passed on as it is.'],
  route_unknown: [404, 'Nothing is served under this path.'],
  body_too_large: [413, 'The body is larger than the edge passes on.'],
  upstream_interrupted: [
    502,
    'The instance was lost while it answered; it may have done the work.',
  ],
  upstream_unavailable: [503, 'No instance of this service can be reached. Try again soon.'],
  upstream_timeout: [504, 'The instance did not answer in time; it may have done the work.'],
} as const

/** The stable codes of the edge's own answers. */
export type EdgeCode = keyof typeof problems

/** Answers with an RFC 9457 problem, the same shape as the services'. */
export function answerProblem(response: ServerResponse, code: EdgeCode, requestId: string): void {
  const [status, detail] = problems[code]
  const title = STATUS_CODES[status]
  response.writeHead(status, {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'x-request-id': requestId,
    ...(status === 503 && { 'retry-after': '1' }),
  })
  response.end(
    JSON.stringify({ type: 'about:blank', title, status, code, detail, request_id: requestId }),
  )
}
