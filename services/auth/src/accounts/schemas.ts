import { type Static, Type } from 'typebox'
import { Email, NewPassword } from '../passwords/credentials.ts'
import type { User } from './store.ts'
import { MailedCode } from './verification.ts'

export const Registration = Type.Object(
  {
    email: Email,
    password: Type.Optional({
      ...NewPassword,
      description:
        'Required where registration is open. Where it is verified, the password is sent with ' +
        'the code; one that is sent here is only checked against the rules for passwords.',
    }),
  },
  { additionalProperties: false },
)

/** What sets a password: a mailed code, and the password. */
export const CodeAndPassword = Type.Object(
  { ...MailedCode, password: NewPassword },
  { additionalProperties: false },
)

/** A user as the user and admins see it. */
export const UserReply = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    email: Type.String(),
    email_verified: Type.Boolean({
      description: 'Whether the user has proven to read the mail of this address.',
    }),
    display_name: Type.Union([Type.String(), Type.Null()]),
    locale: Type.Union([Type.String(), Type.Null()], {
      description: 'A language tag (BCP 47), for apps. Mail is not translated.',
    }),
    scope: Type.String(),
    roles: Type.Array(Type.String()),
    disabled: Type.Boolean(),
    created_at: Type.String({ format: 'date-time' }),
  },
  {
    title: 'User',
    examples: [
      {
        id: '01a21a52-6f0e-7c1c-9e0f-3b1d6a7c9f10',
        email: 'ada@example.com',
        email_verified: true,
        display_name: 'Ada Lovelace',
        locale: 'en-GB',
        scope: 'orders:read orders:write',
        roles: [],
        disabled: false,
        created_at: '2026-11-26T09:30:00.000Z',
      },
    ],
  },
)

export const formatUser = (user: User): Static<typeof UserReply> => ({
  id: user.id,
  email: user.email,
  email_verified: user.emailVerified,
  display_name: user.displayName,
  locale: user.locale,
  scope: user.scope,
  roles: user.roles,
  disabled: user.disabled,
  created_at: user.createdAt.toISOString(),
})
