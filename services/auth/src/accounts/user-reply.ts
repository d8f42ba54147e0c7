import type { User } from './store.ts'

/** A user in the words of the wire. */
export const userReply = ({ createdAt, ...user }: User) => ({
  ...user,
  created_at: createdAt.toISOString(),
})
