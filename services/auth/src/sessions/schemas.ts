import { type Static, Type } from 'typebox'
import type { SessionSummary } from './read-store.ts'

/** A session as its owner sees it. */
export const SessionReply = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    parent_id: Type.Union([Type.String({ format: 'uuid' }), Type.Null()], {
      description:
        "The browser's session that this session of an app is below; it ends with that one.",
    }),
    client_id: Type.Union([Type.String(), Type.Null()], {
      description: 'The app, if it is the session of one.',
    }),
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
  parent_id: session.parentId,
  client_id: session.clientId,
  current: session.id === currentId,
  user_agent: session.userAgent,
  created_at: session.createdAt.toISOString(),
  refreshed_at: session.refreshedAt.toISOString(),
  expires_at: session.expiresAt.toISOString(),
})
