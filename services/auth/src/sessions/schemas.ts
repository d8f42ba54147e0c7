import { type Static, Type } from 'typebox'
import type { SessionSummary } from './read-store.ts'

/** A session as its owner sees it. */
export const SessionReply = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    current: Type.Boolean({ description: 'Whether this request uses this session.' }),
    user_agent: Type.Union([Type.String(), Type.Null()]),
    created_at: Type.String({ format: 'date-time' }),
    refreshed_at: Type.String({ format: 'date-time' }),
    expires_at: Type.String({ format: 'date-time' }),
  },
  { title: 'Session' },
)

export const formatSession = (
  session: SessionSummary,
  currentId: string | undefined,
): Static<typeof SessionReply> => ({
  id: session.id,
  current: session.id === currentId,
  user_agent: session.userAgent,
  created_at: session.createdAt.toISOString(),
  refreshed_at: session.refreshedAt.toISOString(),
  expires_at: session.expiresAt.toISOString(),
})
