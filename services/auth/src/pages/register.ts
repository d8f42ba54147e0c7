import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { createRegisteredUser } from '../accounts/confirm-registration.ts'
import { registerUser, registrationClosed } from '../accounts/register.ts'
import { Registration } from '../accounts/schemas.ts'
import { perNetwork } from '../limits/per-network.ts'
import { normalizeNewPassword, trimEmail } from '../passwords/credentials.ts'
import type { PageProblem } from './describe-problem.ts'
import { AppRequest, CodeAndPasswordForm, MailLink, readTyped } from './read-typed.ts'
import { renderCodeAndPassword } from './templates/code.ts'
import { linkTo } from './templates/form.ts'
import { renderMessage } from './templates/message.ts'
import { renderRegister } from './templates/register.ts'

/** The pages that create an account. Where registration is verified, a mailed code does. */
export const registerPages: FastifyPluginAsyncTypebox = async (app) => {
  const { config } = app
  const minLength = config.LATCHKEY_PASSWORD_MIN_LENGTH

  const renderAddress = (request: FastifyRequest, problem?: PageProblem) =>
    renderRegister(request.texts, {
      ...readTyped(request),
      problem,
      minLength: app.registration === 'open' ? minLength : undefined,
    })
  const renderCode = (request: FastifyRequest, problem?: PageProblem) =>
    renderCodeAndPassword(request.texts, 'confirmRegistration', {
      ...readTyped(request),
      problem,
      minLength,
    })
  const renderDone = (request: FastifyRequest) => {
    const { logIn, confirmRegistration: texts } = request.texts
    const link = { href: linkTo('login', readTyped(request).request), text: logIn }
    return renderMessage({ title: texts.done, text: texts.doneText, link })
  }

  app.get('/register', { schema: { querystring: MailLink } }, async (request, reply) => {
    if (request.query.verification_id !== undefined) return reply.sendPage(renderCode(request))
    if (app.registration === 'closed') throw registrationClosed()
    return reply.sendPage(renderAddress(request))
  })

  app.post(
    '/register',
    {
      config: { form: renderAddress, rateLimit: perNetwork(config, 'register') },
      preValidation: [trimEmail, normalizeNewPassword('password')],
      schema: {
        operationId: 'register',
        body: Type.Object(
          { ...Registration.properties, ...AppRequest },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const { verification } = await registerUser(request, request.body)
      if (!verification) return reply.sendPage(renderDone(request))
      const page = renderCodeAndPassword(request.texts, 'confirmRegistration', {
        ...readTyped(request),
        verificationId: verification.verification_id,
        minLength,
      })
      return reply.sendPage(page)
    },
  )

  app.post(
    '/confirm-registration',
    {
      config: { form: renderCode, rateLimit: perNetwork(config, 'confirmRegistration') },
      preValidation: normalizeNewPassword('password'),
      schema: { operationId: 'confirmRegistration', body: CodeAndPasswordForm },
    },
    async (request, reply) => {
      await createRegisteredUser(request, request.body)
      return reply.sendPage(renderDone(request))
    },
  )
}
