import type { Queryable } from '@latchkey/service-kit'

/** One revocation: of a session, or of the tokens a subject was issued before a time. */
interface Revocation {
  seq: number
  kind: 'session' | 'subject'
  id: string
  /** Of a subject: tokens with a smaller `iat` are revoked, in seconds. */
  notBefore: number | null
  /** When no token it concerns can live any more, in seconds since 1970. */
  expires: number
}

/** Revocations in the order of their commits, and the highest number given so far. */
export interface RevocationPage {
  revocations: Revocation[]
  lastSeq: number
}

/** Reads what was revoked after a number; what no living token can be concerned by is left out. */
export async function listRevocations(
  db: Queryable,
  after: number,
  limit: number,
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

/** Removes the revocations whose tokens have all expired. */
export async function forgetOldRevocations(db: Queryable): Promise<void> {
  await db.query('DELETE FROM revocations WHERE expires_at < now()')
}
