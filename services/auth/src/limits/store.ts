import { createHash } from 'node:crypto'
import type { Queryable } from '@latchkey/service-kit'
import { deleteInBatches } from '../delete-in-batches.ts'

/**
 * The key of a counter. A hash, because the text contains what was entered as an e-mail address, which
 * is sometimes a password, or somebody else's address.
 */
export const hashKey = (text: string): string =>
  createHash('sha256').update(text).digest('base64url')

/**
 * Counts one request against a limit that all instances share, in one atomic statement.
 *
 * @returns the requests in this window, including this one, and the rest of the window in
 *   milliseconds
 */
export async function countRequest(
  db: Queryable,
  key: string,
  windowMs: number,
): Promise<{ current: number; ttl: number }> {
  const { rows } = await db.query<{ current: number; ttl: number }>({
    name: 'rate_limit_count',
    text: `
      INSERT INTO rate_limits AS r (key, count, resets_at)
      VALUES ($1, 1, now() + make_interval(secs => $2::float8 / 1000))
      ON CONFLICT (key) DO UPDATE
         SET count = CASE WHEN r.resets_at <= now() THEN 1 ELSE r.count + 1 END,
             resets_at = CASE WHEN r.resets_at <= now() THEN excluded.resets_at ELSE r.resets_at END
      RETURNING count AS current,
                greatest(ceil(extract(epoch FROM resets_at - now()) * 1000), 0)::int AS ttl`,
    values: [key, windowMs],
  })
  return rows[0] as { current: number; ttl: number }
}

/** Deletes counters whose window has passed. */
export async function deleteExpiredRateLimits(db: Queryable): Promise<void> {
  await deleteInBatches(db, 'rate_limits', 'resets_at < now()')
}
