import { STATUS_CODES } from 'node:http'
import { Type } from 'typebox'

/** The body of every refusal: RFC 9457, with a stable `code` for machines. */
export const Problem = Type.Object(
  {
    type: Type.String({ description: 'Always about:blank; `code` identifies the problem.' }),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.String({ description: 'Stable; docs/errors.md lists all codes.' }),
    detail: Type.String({ description: 'A sentence for people; its wording may change.' }),
    request_id: Type.String(),
    claim: Type.Optional(Type.String({ description: 'The claim that was refused.' })),
    errors: Type.Optional(
      Type.Array(Type.Object({ path: Type.String(), message: Type.String() }), {
        description: 'Each invalid part of the request.',
      }),
    ),
  },
  {
    title: 'Problem',
    examples: [
      {
        type: 'about:blank',
        title: 'Unauthorized',
        status: 401,
        code: 'token_expired',
        detail: 'The token has expired.',
        request_id: '01a21a52-6f0e-7c1c-9e0f-3b1d6a7c9f10',
      },
    ],
  },
)

/** The schema of a response without a body (status 204). */
export const NoContent = Type.Null({ description: 'Success; the response has no body.' })

/** An invalid part of a request: a JSON pointer and a phrase. */
export interface PartError {
  path: string
  message: string
}

/**
 * An error with a stable code. Thrown anywhere below a route, it becomes an
 * `application/problem+json` response (RFC 9457).
 */
export class ProblemError extends Error {
  override name = 'ProblemError'
  readonly statusCode: number
  /** Stable, for machines. */
  readonly code: string
  readonly headers: Readonly<Record<string, string>>
  readonly errors: readonly PartError[] | undefined

  /**
   * @param statusCode the HTTP status, 400 to 599
   * @param code stable, lower case with underscores
   * @param detail a sentence for people, without secrets and without the client's input
   * @param headers response headers, such as `retry-after`
   */
  constructor(
    statusCode: number,
    code: string,
    detail: string,
    headers: Readonly<Record<string, string>> = {},
    errors?: readonly PartError[],
  ) {
    super(detail)
    this.statusCode = statusCode
    this.code = code
    this.headers = headers
    this.errors = errors
  }
}

/** The RFC 9457 body of a problem. */
export function problemBody(problem: ProblemError, requestId: string) {
  return {
    type: 'about:blank',
    title: STATUS_CODES[problem.statusCode] ?? 'Error',
    status: problem.statusCode,
    code: problem.code,
    detail: problem.message,
    request_id: requestId,
    ...(problem.errors && { errors: problem.errors }),
  }
}
