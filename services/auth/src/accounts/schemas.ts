import { type Static, Type } from 'typebox'
import { Email, NewPassword } from '../passwords/credentials.ts'
import type { User } from './store.ts'

export const Registration = Type.Object(
  { email: Email, password: NewPassword },
  { additionalProperties: false },
)

/** A user as the user and admins see it. */
export const UserReply = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    email: Type.String(),
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
        scope: 'orders:read orders:write',
        roles: [],
        disabled: false,
        created_at: '2026-11-26T09:30:00.000Z',
      },
    ],
  },
)

export const formatUser = ({ createdAt, ...user }: User): Static<typeof UserReply> => ({
  ...user,
  created_at: createdAt.toISOString(),
})
