import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { mailResetCode, resetPassword } from '../accounts/reset-password.ts'
import { perNetwork } from '../limits/per-network.ts'
import { Email, normalizeNewPassword, trimEmail } from '../passwords/credentials.ts'
import type { PageProblem } from './describe-problem.ts'
import { AppRequest, CodeAndPasswordForm, MailLink, readTyped } from './read-typed.ts'
import { renderCodeAndPassword } from './templates/code.ts'
import { renderForgot } from './templates/forgot.ts'
import { linkTo } from './templates/form.ts'
import { renderMessage } from './templates/message.ts'

/** The pages that set a new password with a mailed code. */
export const resetPages: FastifyPluginAsyncTypebox = async (app) => {
  const { config } = app
  const minLength = config.LATCHKEY_PASSWORD_MIN_LENGTH

  const renderAddress = (request: FastifyRequest, problem?: PageProblem) =>
    renderForgot(request.texts, { ...readTyped(request), problem })
  const renderCode = (request: FastifyRequest, problem?: PageProblem) =>
    renderCodeAndPassword(request.texts, 'reset', { ...readTyped(request), problem, minLength })

  app.get('/forgot', { schema: { querystring: MailLink } }, async (request, reply) =>
    reply.sendPage(renderAddress(request)),
  )

  app.post(
    '/forgot',
    {
      config: { form: renderAddress, rateLimit: perNetwork(config, 'requestPasswordReset') },
      preValidation: trimEmail,
      schema: {
        operationId: 'requestPasswordReset',
        body: Type.Object({ email: Email, ...AppRequest }, { additionalProperties: false }),
      },
    },
    async (request, reply) => {
      const { verification_id } = await mailResetCode(request, request.body.email)
      const page = renderCodeAndPassword(request.texts, 'reset', {
        ...readTyped(request),
        verificationId: verification_id,
        minLength,
      })
      return reply.sendPage(page)
    },
  )

  app.get('/reset', { schema: { querystring: MailLink } }, async (request, reply) =>
    reply.sendPage(renderCode(request)),
  )

  app.post(
    '/reset',
    {
      config: { form: renderCode, rateLimit: perNetwork(config, 'resetPassword') },
      preValidation: normalizeNewPassword('password'),
      schema: { operationId: 'resetPassword', body: CodeAndPasswordForm },
    },
    async (request, reply) => {
      await resetPassword(request, request.body)
      const { logIn, reset: texts } = request.texts
      const link = { href: linkTo('login', request.body.request), text: logIn }
      return reply.sendPage(renderMessage({ title: texts.done, text: texts.doneText, link }))
    },
  )
}
