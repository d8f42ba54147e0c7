import type { FastifyRequest } from 'fastify'

/** The user that a request belongs to. */
export interface Caller {
  userId: string
  sessionId: string | undefined
}

/** The owner of the token, or of the browser's session on a page that requires one. */
export const callerOf = ({
  user,
  browserUser,
}: Pick<FastifyRequest, 'user' | 'browserUser'>): Caller =>
  browserUser ?? { userId: user.sub, sessionId: user.sid }
