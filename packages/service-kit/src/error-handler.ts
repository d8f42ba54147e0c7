import { TokenError } from '@latchkey/verify'
import type { FastifyError, FastifyReply, FastifyRequest, ValidationResult } from 'fastify'
import {
  adviceFor,
  isDatabaseUnavailable,
  isUnstorableText,
  UnconfirmedCommitError,
} from './database-errors.ts'
import { type PartError, ProblemError, problemBody } from './problem.ts'
import { unstorableText } from './storable-text.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** The `code` of the problem sent, for the log. */
    problemCode: string | undefined
  }
}

/** Fastify's own errors that map to a code of their own. All others become `bad_request`. */
const known: Record<string, [status: number, code: string, detail: string]> = {
  FST_ERR_CTP_INVALID_JSON_BODY: [400, 'malformed_json', 'The body is not valid JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    400,
    'bad_request',
    'Content-Length does not match the body.',
  ],
  FST_ERR_CTP_BODY_TOO_LARGE: [413, 'body_too_large', 'The body is too large.'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    415,
    'unsupported_media_type',
    'Send the body as application/json.',
  ],
  FST_ERR_BAD_URL: [400, 'malformed_url', 'The URL is not valid.'],
  FST_ERR_MAX_PARAM_LENGTH: [414, 'url_too_long', 'A segment of the URL is too long.'],
}

/** Maps a thrown value to the answer. An unknown error becomes 500, without its message. */
function toProblem(err: unknown, { body }: FastifyRequest): ProblemError {
  if (err instanceof ProblemError) return err
  if (err instanceof TokenError) {
    // Thrown by `request.jwtVerify()`, with its challenge.
    const { headers = {} } = err as { headers?: Record<string, string> }
    return new ProblemError(err.status, err.code, err.message, headers)
  }
  const error = err as Partial<FastifyError>
  if (error.validation) {
    const { validationContext: context = 'body' } = error
    if (context === 'body' && body === undefined) {
      return new ProblemError(400, 'empty_body', 'The body is empty; send a JSON object.')
    }
    const errors = error.validation.map((part) => describePart(part, context))
    return new ProblemError(400, 'invalid_request', 'The request is not valid.', {}, errors)
  }
  if (isDatabaseUnavailable(err)) {
    return new ProblemError(
      503,
      'database_unavailable',
      'The database is unavailable. Try again shortly.',
      {
        'retry-after': '1',
      },
    )
  }
  if (err instanceof UnconfirmedCommitError) {
    return new ProblemError(
      503,
      'commit_unconfirmed',
      'The change was made, but no standby of the database has confirmed it; a failover could undo it. Repeat the request, or check later that the change is still there.',
      { 'retry-after': '1' },
    )
  }
  if (isUnstorableText(err)) return unstorableText()
  const mapped = known[error.code ?? '']
  if (mapped) return new ProblemError(...mapped)
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new ProblemError(error.statusCode, 'bad_request', 'The request is not valid.')
  }
  return new ProblemError(
    500,
    'internal_error',
    'Internal error. The service logged it with this request ID.',
  )
}

/** A pattern says little to people: the description of its schema completes the sentence. */
function describePart(part: ValidationResult, context: string): PartError {
  const { parentSchema } = part as { parentSchema?: { description?: string } }
  const isFormat = part.keyword === 'pattern' || part.keyword === 'format'
  const expected = isFormat ? parentSchema?.description : undefined
  return {
    path: `/${context}${part.instancePath}`,
    message: expected ? `must be ${expected}` : (part.message ?? 'is not valid'),
  }
}

/**
 * Maps a thrown value to its problem, logs server-side failures, and sets the status and the headers
 * of the reply. The caller sends the body.
 */
export function reportProblem(
  err: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): ProblemError {
  const problem = toProblem(err, request)
  if (problem.statusCode === 500) request.log.error({ err }, 'request failed')
  else if (problem.statusCode > 500 && problem !== err) {
    request.log.warn(
      { err, code: problem.code, advice: adviceFor(err) },
      'request answered with 503: a dependency is unavailable',
    )
  }
  reply.problemCode = problem.code
  reply.code(problem.statusCode).headers(problem.headers)
  return problem
}

/** Answers a thrown value as `application/problem+json`. */
export async function answerProblem(err: unknown, request: FastifyRequest, reply: FastifyReply) {
  const problem = reportProblem(err, request, reply)
  return reply
    .type('application/problem+json')
    .serializer(JSON.stringify)
    .send(problemBody(problem, request.id))
}
