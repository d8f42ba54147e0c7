// Reads revocations. Triggers write them when a session ends or a token boundary moves.
import { type Queryable, readOnlyServer } from '@latchkey/service-kit'
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

/**
 * A place in the list of revocations: the number of a row, and its random tag in hexadecimal. Where
 * that row exists, every row before it does: a database loses commits only from the end, and the
 * numbers are in the order of the commits.
 */
export interface Cursor {
  seq: string
  /** Left out by verifiers before version 0.2, which cannot notice a lost row. */
  tag: string | undefined
}

/** @returns the cursor of a page; `undefined`, to start from the beginning, for `0.0` and no text */
export function parseCursor(text = '0.0'): Cursor | undefined {
  const [seq = '', tag] = text.split('.')
  return text === '0.0' ? undefined : { seq, tag }
}

/** Maximum entries in one page. A verifier that has just started polls until all are read. */
const pageSize = 10_000

/** Revocations in commit order, as JSON. */
export interface RevocationPage {
  /** Whether the page continues from the given cursor. If not, it is the first one. */
  isContinued: boolean
  /** JSON: `[sid, expires]` of each session, in seconds since 1970. */
  sessions: string
  /** JSON: `[sub, notBefore, expires]` of each subject; tokens with a smaller `iat` are revoked. */
  subjects: string
  /** Whether the page is full. */
  more: boolean
  /** The place after this page; `0.0` while the table is empty. */
  cursor: string
  /** The database's time, in seconds since 1970. */
  now: number
}

/**
 * Lists the revocations after a cursor that may still affect a valid token. If the row of the
 * cursor is missing, the database has lost commits, and the list starts from the beginning.
 *
 * Postgres writes the JSON: a verifier that starts reads every page, and the auth service would
 * spend ten times as long on parsing and formatting the rows.
 *
 * @throws DatabaseError 25006 when the server is read-only: a standby may lack the latest ones
 */
export async function listRevocations(
  db: Queryable,
  after: Cursor | undefined,
): Promise<RevocationPage> {
  const { rows } = await db.query<RevocationPage & { isReadOnly: boolean }>({
    name: 'revocation_list',
    text: `
      WITH start AS MATERIALIZED (
        SELECT $1::bigint AS seq FROM revocations_seq
         WHERE CASE WHEN $2::text IS NULL THEN $1::bigint <= last_value
                    ELSE EXISTS (SELECT FROM revocations WHERE seq = $1 AND to_hex(tag) = $2) END
      ), page AS MATERIALIZED (
        SELECT seq, tag, kind, id, not_before, ceil(date_part('epoch', expires_at))::bigint AS expires
          FROM revocations
         WHERE seq > coalesce((SELECT seq FROM start), 0) AND expires_at > now()
         ORDER BY seq LIMIT ${pageSize}
      ), newest AS (
        SELECT seq, tag FROM revocations ORDER BY seq DESC LIMIT 1
      )
      SELECT EXISTS (SELECT FROM start) AS "isContinued",
             coalesce((SELECT json_agg(json_build_array(id, expires))
                         FROM page WHERE kind = 'session')::text, '[]') AS sessions,
             coalesce((SELECT json_agg(json_build_array(id, not_before, expires))
                         FROM page WHERE kind = 'subject')::text, '[]') AS subjects,
             (SELECT count(*) FROM page) = ${pageSize} AS more,
             coalesce((SELECT seq || '.' || to_hex(tag) FROM page ORDER BY seq OFFSET ${pageSize - 1}),
                      (SELECT seq || '.' || to_hex(tag) FROM newest), '0.0') AS cursor,
             date_part('epoch', now()) AS now,
             current_setting('transaction_read_only')::boolean AS "isReadOnly"`,
    values: [after?.seq ?? 0, after === undefined ? '' : after.tag],
  })
  const { isReadOnly, ...page } = rows[0] as RevocationPage & { isReadOnly: boolean }
  if (isReadOnly) throw readOnlyServer()
  return page
}

/** @returns the revocation with the highest number, or `undefined` if there is none */
export async function findNewestRevocation(
  db: Queryable,
): Promise<{ seq: number; revokedAt: Date } | undefined> {
  const { rows } = await db.query<{ seq: number; revokedAt: Date }>(
    `SELECT seq::float8 AS seq, revoked_at AS "revokedAt"
       FROM revocations ORDER BY revocations.seq DESC LIMIT 1`,
  )
  return rows[0]
}

/**
 * Deletes the revocations whose tokens have all expired. The newest row that readers have had a
 * minute to read remains: it is their cursor until there is a newer one.
 */
export async function deleteExpiredRevocations(db: Queryable): Promise<void> {
  const newestRead = `SELECT max(seq) FROM revocations WHERE revoked_at < now() - interval '1 minute'`
  await deleteInBatches(db, 'revocations', `expires_at < now() AND seq < (${newestRead})`)
}
