import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { confirmEmailChange } from '../accounts/change-email.ts'
import { undoEmailChange } from '../accounts/undo-email-change.ts'
import { ConfirmedCode } from '../accounts/verification.ts'
import { perNetwork } from '../limits/per-network.ts'
import type { PageProblem } from './describe-problem.ts'
import { MailLink, readTyped } from './read-typed.ts'
import { renderCodeButton } from './templates/code.ts'
import { renderMessage } from './templates/message.ts'

/** The pages that links about a changed address open. A link only shows a button. */
export const accountPages: FastifyPluginAsyncTypebox = async (app) => {
  const { config } = app
  const render =
    (name: 'confirmEmail' | 'restoreEmail') => (request: FastifyRequest, problem?: PageProblem) =>
      renderCodeButton(request.texts, name, { ...readTyped(request), problem })

  app.get('/account', { schema: { querystring: MailLink } }, async (request, reply) => {
    const { verification_id: id, undo } = request.query
    if (id === undefined) return reply.sendPage(renderMessage(request.texts.openLink))
    return reply.sendPage(render(undo === '1' ? 'restoreEmail' : 'confirmEmail')(request))
  })

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
