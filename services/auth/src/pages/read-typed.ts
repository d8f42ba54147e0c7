import type { FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { CodeAndPassword } from '../accounts/schemas.ts'

/** A member of forms and links: an opaque text of the app's request, which every page passes on. */
export const AppRequest = { request: Type.Optional(Type.String({ maxLength: 8_192 })) }

/** The form for a mailed code and a password. The address is shown, and not used. */
export const CodeAndPasswordForm = Type.Object(
  {
    ...CodeAndPassword.properties,
    ...AppRequest,
    email: Type.Optional(Type.String({ maxLength: 254 })),
  },
  { additionalProperties: false },
)

/** The query string of a link in a mail. What is wrong with it is shown when the form is sent. */
export const MailLink = Type.Object({
  ...AppRequest,
  verification_id: Type.Optional(Type.String()),
  code: Type.Optional(Type.String()),
  undo: Type.Optional(Type.String()),
})

/**
 * What was typed into a form, or is in the link that opened it. It may not be valid. Passwords are
 * left out, so that no page can contain one. An address and a profile are only read from a form: a
 * stranger's link must not be able to write text on a page.
 */
export function readTyped({ body, query }: FastifyRequest) {
  const texts = Object.entries((body ?? query) as Record<string, unknown>).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  )
  const { request, code, verification_id: verificationId, ...form } = Object.fromEntries(texts)
  const { email, display_name: displayName, locale } = body === undefined ? {} : form
  return { request, email, displayName, locale, code, verificationId }
}
