import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { mailAddressCode } from '../accounts/change-email.ts'
import { changeOwnPassword, passwordChange } from '../accounts/change-password.ts'
import { deleteOwnAccount } from '../accounts/own-data.ts'
import { getOwnUser } from '../accounts/own-user.ts'
import { changeOwnProfile, ProfileChange, profileLimit } from '../accounts/profile.ts'
import { perNetwork } from '../limits/per-network.ts'
import {
  CurrentPassword,
  Email,
  NewPassword,
  normalizeNewPassword,
  trimEmail,
} from '../passwords/credentials.ts'
import type { PageProblem } from './describe-problem.ts'
import { readTyped } from './read-typed.ts'
import {
  renderChangeEmail,
  renderChangePassword,
  renderDeleteAccount,
  renderProfile,
} from './templates/account-forms.ts'
import { renderCodeButton } from './templates/code.ts'
import { renderMessage } from './templates/message.ts'

/** Forms that change the account of a browser that is signed in. */
export const accountForms: FastifyPluginAsyncTypebox = async (app) => {
  app.register(profileForm)
  app.register(passwordForm)
  app.register(emailForm)
  app.register(deletionForm)
}

const profileForm: FastifyPluginAsyncTypebox = async (app) => {
  app.get('/profile', async (request, reply) =>
    reply.sendPage(renderProfile(request.texts, await getOwnUser(request))),
  )

  app.post(
    '/profile',
    {
      config: {
        form: (request, problem) =>
          renderProfile(request.texts, { ...readTyped(request), problem }),
        rateLimit: profileLimit,
      },
      preValidation: removeEmpty,
      schema: { operationId: 'changeProfile', body: ProfileChange },
    },
    async (request, reply) => {
      await changeOwnProfile(request, request.body)
      return reply.redirect('account', 303)
    },
  )
}

/** A `preValidation` hook: an empty field removes what was stored. */
async function removeEmpty({ body }: FastifyRequest): Promise<void> {
  const members = (body ?? {}) as Record<string, unknown>
  for (const [name, value] of Object.entries(members)) if (value === '') members[name] = null
}

const passwordForm: FastifyPluginAsyncTypebox = async (app) => {
  const limits = passwordChange(app)
  const render = ({ texts, browserUser }: FastifyRequest, problem?: PageProblem) =>
    renderChangePassword(texts, {
      problem,
      email: browserUser?.email ?? '',
      minLength: app.config.LATCHKEY_PASSWORD_MIN_LENGTH,
    })

  app.get('/change-password', async (request, reply) => reply.sendPage(render(request)))

  app.post(
    '/change-password',
    {
      ...limits,
      config: { ...limits.config, form: render },
      preValidation: normalizeNewPassword('password'),
      schema: {
        operationId: 'changePassword',
        body: Type.Object(
          { current_password: CurrentPassword, password: NewPassword },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const { current_password, password: new_password } = request.body
      const session = await changeOwnPassword(request, { current_password, new_password })
      reply.rememberSession(session.sessionId)
      const { changePassword: texts, backToAccount } = request.texts
      const link = { href: 'account', text: backToAccount }
      return reply.sendPage(renderMessage({ title: texts.done, text: texts.doneText, link }))
    },
  )
}

const emailForm: FastifyPluginAsyncTypebox = async (app) => {
  const render = (request: FastifyRequest, problem?: PageProblem) =>
    renderChangeEmail(request.texts, { email: readTyped(request).email, problem })

  app.get('/change-email', async (request, reply) => reply.sendPage(render(request)))

  app.post(
    '/change-email',
    {
      config: { form: render, rateLimit: perNetwork(app.config, 'requestEmailChange') },
      preValidation: trimEmail,
      schema: {
        operationId: 'requestEmailChange',
        body: Type.Object(
          { email: Email, current_password: CurrentPassword },
          { additionalProperties: false },
        ),
      },
    },
    async (request, reply) => {
      const { email, current_password: password } = request.body
      const { verification_id: verificationId } = await mailAddressCode(request, {
        email,
        password,
      })
      const sent = request.texts.confirmEmail.sent(email)
      return reply.sendPage(
        renderCodeButton(request.texts, 'confirmEmail', { verificationId, sent }),
      )
    },
  )
}

const deletionForm: FastifyPluginAsyncTypebox = async (app) => {
  const render = ({ texts, browserUser }: FastifyRequest, problem?: PageProblem) =>
    renderDeleteAccount(texts, { email: browserUser?.email ?? '', problem })

  app.get('/delete-account', async (request, reply) => reply.sendPage(render(request)))

  app.post(
    '/delete-account',
    {
      config: { form: render },
      schema: {
        operationId: 'deleteMe',
        body: Type.Object({ current_password: CurrentPassword }, { additionalProperties: false }),
      },
    },
    async (request, reply) => {
      await deleteOwnAccount(request, request.body.current_password)
      reply.rememberSession(undefined)
      const { done, doneText } = request.texts.deleteAccount
      return reply.sendPage(renderMessage({ title: done, text: doneText }))
    },
  )
}
