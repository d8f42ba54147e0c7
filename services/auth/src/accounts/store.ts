import type { Queryable } from '@latchkey/service-kit'

/** A user as the user may see it. */
export interface User {
  id: string
  email: string
  scope: string
  roles: string[]
  createdAt: Date
}

const asUser = `id, email, scope, roles, created_at AS "createdAt"`

/** @returns the new user, or `undefined` when the e-mail address has an account already */
export async function create(
  db: Queryable,
  email: string,
  passwordHash: string,
  scope: string,
  network: string,
): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_create',
    text: `
      INSERT INTO users (email, password_hash, scope, registered_from) VALUES ($1, $2, $3, $4)
      ON CONFLICT DO NOTHING
      RETURNING ${asUser}`,
    values: [email, passwordHash, scope, network],
  })
  return rows[0]
}

/** The user behind an open session, or `undefined` when either has ended. */
export async function findBySession(
  db: Queryable,
  userId: string,
  sessionId: string,
): Promise<User | undefined> {
  const { rows } = await db.query<User>({
    name: 'user_find_by_session',
    text: `
      SELECT ${asUser} FROM users
       WHERE id = $1 AND disabled_at IS NULL AND EXISTS (
         SELECT FROM sessions
          WHERE id = $2 AND user_id = $1 AND revoked_at IS NULL AND expires_at > now())`,
    values: [userId, sessionId],
  })
  return rows[0]
}
