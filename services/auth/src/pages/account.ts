import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { confirmEmailChange } from '../accounts/change-email.ts'
import { listOwnEvents } from '../accounts/own-data.ts'
import { getOwnUser } from '../accounts/own-user.ts'
import { undoEmailChange } from '../accounts/undo-email-change.ts'
import { ConfirmedCode } from '../accounts/verification.ts'
import { EventPageQuery, formatEventPage } from '../audit/schemas.ts'
import { callerOf } from '../caller.ts'
import { perNetwork } from '../limits/per-network.ts'
import { requireBrowserSession } from '../sessions/open-session.ts'
import { listSessions } from '../sessions/read-store.ts'
import type { PageProblem } from './describe-problem.ts'
import { MailLink, readTyped } from './read-typed.ts'
import { renderAccount } from './templates/account.ts'
import { renderCodeButton } from './templates/code.ts'
import type { Page } from './templates/layout.ts'
import { renderMessage } from './templates/message.ts'

/** Events on the page; a link leads to older ones. */
const maxEvents = 20

/** The account of a browser that is signed in, and what links about a changed address open. */
export const accountPages: FastifyPluginAsyncTypebox = async (app) => {
  const { config } = app
  const render =
    (name: 'confirmEmail' | 'restoreEmail') => (request: FastifyRequest, problem?: PageProblem) =>
      renderCodeButton(request.texts, name, { ...readTyped(request), problem })

  app.get(
    '/account',
    {
      // The link is the proof. It may be opened where nobody has logged in.
      preHandler: async (request, reply) =>
        request.query.verification_id === undefined
          ? requireBrowserSession(request, reply)
          : undefined,
      schema: {
        querystring: Type.Object({ ...MailLink.properties, before: EventPageQuery.before }),
      },
    },
    async (request, reply) => {
      const { verification_id: id, undo, before } = request.query
      if (id === undefined) return reply.sendPage(await renderOwnAccount(request, before))
      return reply.sendPage(render(undo === '1' ? 'restoreEmail' : 'confirmEmail')(request))
    },
  )

  app.post(
    '/confirm-email',
    {
      config: { form: render('confirmEmail'), rateLimit: perNetwork(config, 'changeEmail') },
      schema: { operationId: 'changeEmail', body: ConfirmedCode },
    },
    async (request, reply) => {
      await confirmEmailChange(request, request.body)
      const { logIn, confirmEmail: texts } = request.texts
      const link = { href: 'login', text: logIn }
      return reply.sendPage(renderMessage({ title: texts.done, text: texts.doneText, link }))
    },
  )

  app.post(
    '/restore-email',
    {
      config: { form: render('restoreEmail'), rateLimit: perNetwork(config, 'undoEmailChange') },
      schema: { operationId: 'undoEmailChange', body: ConfirmedCode },
    },
    async (request, reply) => {
      await undoEmailChange(request, request.body)
      const { done, doneText } = request.texts.restoreEmail
      return reply.sendPage(renderMessage({ title: done, text: doneText }))
    },
  )
}

async function renderOwnAccount(
  request: FastifyRequest,
  before: string | undefined,
): Promise<Page> {
  const { config, db } = request.server
  const { userId, sessionId } = callerOf(request)
  const user = await getOwnUser(request)
  const sessions = await listSessions(db, userId)
  const events = await listOwnEvents(request, { before, limit: maxEvents + 1 })
  return renderAccount(request.texts, {
    user,
    sessions,
    currentId: sessionId,
    ...formatEventPage(events, maxEvents),
    canChangeEmail: config.LATCHKEY_SMTP_URL !== undefined,
  })
}
