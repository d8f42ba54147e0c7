import { type ProblemError, reportProblem } from '@latchkey/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'

/** A refusal of the token endpoint (RFC 6749 section 5.2). */
export class OAuthError extends Error {
  override name = 'OAuthError'
  readonly statusCode: number
  readonly error: string
  readonly headers: Readonly<Record<string, string>>

  /** @param description a sentence for the client's developer, in ASCII */
  constructor(
    error: string,
    description: string,
    {
      statusCode = 400,
      headers = {},
    }: { statusCode?: number; headers?: Record<string, string> } = {},
  ) {
    super(description)
    this.statusCode = statusCode
    this.error = error
    this.headers = headers
  }
}

/** Answers a thrown value in the form of RFC 6749 section 5.2, and logs failures of the server. */
export function answerOAuthError(err: Error, request: FastifyRequest, reply: FastifyReply) {
  const refusal =
    err instanceof OAuthError ? err : describeProblem(reportProblem(err, request, reply))
  reply.problemCode = refusal.error
  return reply
    .code(refusal.statusCode)
    .headers(refusal.headers)
    .type('application/json')
    .serializer(JSON.stringify)
    .send({ error: refusal.error, error_description: refusal.message })
}

/** The RFC's names of what else can go wrong, by the status. */
const names: Record<number, string> = { 500: 'server_error', 503: 'temporarily_unavailable' }

const formExpected = 'Send the parameters as application/x-www-form-urlencoded.'

const describeProblem = ({ statusCode, message }: ProblemError): OAuthError =>
  new OAuthError(
    names[statusCode] ?? 'invalid_request',
    statusCode === 415 ? formExpected : message,
    { statusCode },
  )
