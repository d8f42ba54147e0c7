import { STATUS_CODES } from 'node:http'
import type { FastifyReply } from 'fastify'
import { isNavigation } from './origin.ts'

/** What can go wrong, apart from a refused token: the status, and a sentence for the user. */
const problems = {
  cross_site_request: {
    status: 403,
    detail: 'The request was sent from another site. Open the app again and repeat it.',
  },
  login_interrupted: {
    status: 400,
    detail: 'The browser did not keep the cookie of this sign-in. Allow cookies and try again.',
  },
  login_refused: {
    status: 400,
    detail: 'The sign-in was refused. Try again.',
  },
  session_ambiguous: {
    status: 400,
    detail: 'The browser sent two session cookies. Delete the cookies of this site and try again.',
  },
  session_too_large: {
    status: 503,
    detail: 'The session does not fit into a cookie. Ask an admin: the log of the app has details.',
  },
  auth_unavailable: {
    status: 503,
    detail: 'The sign-in service is unavailable. Try again in a few seconds.',
  },
} as const

/** The stable code of a problem. */
export type ProblemCode = keyof typeof problems

/**
 * Answers with a problem: a small page for navigations, else a problem document (RFC 9457).
 *
 * @param retryUrl where the page's link leads
 */
export function sendProblem(reply: FastifyReply, code: ProblemCode, retryUrl: URL): FastifyReply {
  const { request } = reply
  const { status, detail } = problems[code]
  const title = STATUS_CODES[status] ?? ''
  reply.refusalCode = code
  reply.code(status).header('cache-control', 'no-store')
  if (status === 503) reply.header('retry-after', '5')
  if (isNavigation(request)) return sendPage(reply, { code, detail, retryUrl })
  const body = { type: 'about:blank', title, status, detail, code, request_id: request.id }
  return reply.type('application/problem+json').send(JSON.stringify(body))
}

interface Page {
  readonly code: string
  readonly detail: string
  readonly retryUrl: URL
}

function sendPage(reply: FastifyReply, { code, detail, retryUrl }: Page): FastifyReply {
  return reply
    .headers({
      'content-security-policy': "default-src 'none'; base-uri 'none'; frame-ancestors 'none'",
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
    })
    .type('text/html; charset=utf-8')
    .send(`<!doctype html>
<html lang="en">
<meta name="viewport" content="width=device-width">
<title>Sign-in</title>
<h1>Sign-in</h1>
<p>${escapeHtml(detail)}</p>
<p><a href="${escapeHtml(retryUrl.href)}">Try again</a></p>
<p><small>${code}, request ${escapeHtml(reply.request.id)}</small></p>
</html>
`)
}

const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
