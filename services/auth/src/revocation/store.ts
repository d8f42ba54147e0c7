import type { Queryable } from '@latchkey/service-kit'

/** Removes the revocations whose tokens have all expired. */
export async function forgetOldRevocations(db: Queryable): Promise<void> {
  await db.query('DELETE FROM revocations WHERE expires_at < now()')
}
