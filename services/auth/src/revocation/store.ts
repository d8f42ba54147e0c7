// Reads revocations. Triggers write them when a session ends or a token boundary moves.
import type { Queryable } from '@latchkey/service-kit'
import { limits } from '@latchkey/verify'
import { maxAccessTokenTtlSeconds } from '../config.ts'
import { deleteInBatches } from '../delete-in-batches.ts'

/**
 * How long a revocation is kept, in seconds. Based on the longest TTL an access token can be
 * configured to, not on the current one: tokens issued under an earlier configuration may still be
 * valid. The triggers that write revocations contain the same number.
 */
export const revocationRetentionSeconds = maxAccessTokenTtlSeconds + limits.maxClockToleranceSeconds

/** A revocation of one session, or of a subject's tokens issued before a time. */
interface Revocation {
  seq: number
  kind: 'session' | 'subject'
  id: string
  /** Subjects only: tokens with a smaller `iat` are revoked, in seconds. */
  notBefore: number | null
  /** When every token it affects has expired, in seconds since 1970. */
  expires: number
}

/** Revocations in commit order, and the highest number assigned so far. */
export interface RevocationPage {
  revocations: Revocation[]
  lastSeq: number
}

/** Lists the revocations after a number that may still affect a valid token. */
export async function listRevocations(
  db: Queryable,
  { after, limit }: { after: number; limit: number },
): Promise<RevocationPage> {
  const { rows } = await db.query<Revocation & { lastSeq: number }>({
    name: 'revocation_list',
    text: `
      SELECT r.seq::float8 AS seq, kind, id, not_before::float8 AS "notBefore",
             ceil(extract(epoch FROM expires_at))::float8 AS expires,
             last_value::float8 AS "lastSeq"
        FROM revocations_seq LEFT JOIN (
          SELECT * FROM revocations
           WHERE seq > $1 AND expires_at > now() ORDER BY seq LIMIT $2) AS r ON true
       ORDER BY r.seq`,
    values: [after, limit],
  })
  const revocations = rows.filter(({ seq }) => seq !== null)
  return { revocations, lastSeq: rows[0]?.lastSeq ?? 0 }
}

/** Deletes the revocations whose tokens have all expired. */
export async function deleteExpiredRevocations(db: Queryable): Promise<void> {
  await deleteInBatches(db, 'revocations', 'expires_at < now()')
}
