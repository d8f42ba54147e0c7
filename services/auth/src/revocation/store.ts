// Reads revocations. Triggers write them when a session ends or a token boundary moves.
import type { Queryable } from '@latchkey/service-kit'
import { limits } from '@latchkey/verify'
import { maxAccessTokenTtlSeconds } from '../config.ts'
import { deleteInBatches } from '../delete-in-batches.ts'

/**
 * How long a revocation is kept, in seconds. Based on the longest TTL an access token can be
 * configured to, not on the current one: tokens issued under an earlier configuration may still be
 * valid. The clock tolerance counts twice: a token may have been issued by a clock that is ahead,
 * and be accepted by one that is behind. The triggers that write revocations contain the same number.
 */
export const revocationRetentionSeconds =
  maxAccessTokenTtlSeconds + 2 * limits.maxClockToleranceSeconds

/**
 * How far the boundary of a user's revoked tokens (`tokens_not_before`) may be ahead of the clock, in
 * seconds. Tokens are issued from there, so it must be less than the verifiers' clock tolerance.
 */
export const maxBoundaryLeadSeconds = 3

/** Revocations in commit order, as JSON. */
export interface RevocationPage {
  /** JSON: `[sid, expires]` of each session, in seconds since 1970. */
  sessions: string
  /** JSON: `[sub, notBefore, expires]` of each subject; tokens with a smaller `iat` are revoked. */
  subjects: string
  /** How many both are. */
  count: number
  /** The number of the last of them; null if there is none. */
  last: number | null
  /** The highest number assigned so far. */
  lastSeq: number
  /** The database's time, in seconds since 1970. */
  now: number
}

/**
 * Lists the revocations after a number that may still affect a valid token.
 *
 * Postgres writes the JSON: a verifier that starts reads every page, and the auth service would
 * spend ten times as long on parsing and formatting the rows.
 */
export async function listRevocations(
  db: Queryable,
  { after, limit }: { after: number; limit: number },
): Promise<RevocationPage> {
  const { rows } = await db.query<RevocationPage>({
    name: 'revocation_list',
    text: `
      WITH page AS MATERIALIZED (
        SELECT seq, kind, id, not_before, ceil(date_part('epoch', expires_at))::bigint AS expires
          FROM revocations WHERE seq > $1 AND expires_at > now() ORDER BY seq LIMIT $2)
      SELECT coalesce((SELECT json_agg(json_build_array(id, expires))
                         FROM page WHERE kind = 'session')::text, '[]') AS sessions,
             coalesce((SELECT json_agg(json_build_array(id, not_before, expires))
                         FROM page WHERE kind = 'subject')::text, '[]') AS subjects,
             (SELECT count(*) FROM page)::int AS count,
             (SELECT max(seq) FROM page)::float8 AS last,
             last_value::float8 AS "lastSeq", date_part('epoch', now()) AS now
        FROM revocations_seq`,
    values: [after, limit],
  })
  const [page] = rows
  if (page === undefined) throw new Error('the sequence of the revocations is missing')
  return page
}

/** Deletes the revocations whose tokens have all expired. */
export async function deleteExpiredRevocations(db: Queryable): Promise<void> {
  await deleteInBatches(db, 'revocations', 'expires_at < now()')
}
