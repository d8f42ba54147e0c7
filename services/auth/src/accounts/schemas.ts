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
  { $id: 'User', title: 'User' },
)

export const formatUser = ({ createdAt, ...user }: User): Static<typeof UserReply> => ({
  ...user,
  created_at: createdAt.toISOString(),
})
