// Writes verifiers, signing_keys and used_assertions.
import type { Queryable } from '@latchkey/service-kit'
import { withoutStandby, withoutWaiting } from '../commit.ts'
import { deleteInBatches } from '../delete-in-batches.ts'

/** The last report of a process that verifies tokens. */
export interface VerifierReport {
  service: string
  instance: string
  /**
   * Its key IDs: the one that signs first, and last the key that it authenticates with, or of an
   * auth instance the root keys and the keys of ID tokens, the newest first.
   */
  kids: string[]
  /** Time since the report, in seconds. */
  ageSeconds: number
  /** How far its clock is ahead of the database's, in seconds; null when that is not known. */
  clockAheadSeconds: number | null
}

/** What a process reports about itself. */
interface NewReport extends Pick<VerifierReport, 'service' | 'instance' | 'kids'> {
  /** The time by its clock, in seconds since 1970. */
  clockSeconds?: number | undefined
  /** How long it has been running, in seconds. */
  uptimeSeconds?: number
}

/** A verifier silent for longer is considered stopped, in seconds. */
const verifierTimeoutSeconds = 60

/** Stores which keys a verifier has. An unchanged report is written at most every 5 seconds. */
export async function reportVerifier(db: Queryable, report: NewReport): Promise<void> {
  await db.query({
    name: 'verifier_report',
    text: `
      INSERT INTO verifiers AS v
             (instance, service, kids, seen_at, clock_ahead_seconds, started_at)
      VALUES ($1, $2, $3, now(), $4::float8 - extract(epoch FROM now())::float8,
              now() - make_interval(secs => $5))
      ON CONFLICT (service, instance) DO UPDATE
         SET kids = excluded.kids, seen_at = excluded.seen_at,
             clock_ahead_seconds = excluded.clock_ahead_seconds, started_at = excluded.started_at
       WHERE v.kids <> excluded.kids OR v.seen_at < now() - interval '5 seconds'`,
    values: [
      report.instance,
      report.service,
      report.kids,
      report.clockSeconds,
      report.uptimeSeconds,
    ],
  })
}

/** Lists the verifiers that reported within the last minute. */
export async function listVerifiers(db: Queryable): Promise<VerifierReport[]> {
  const { rows } = await db.query<VerifierReport>({
    name: 'verifier_list',
    text: `
      SELECT service, instance, kids,
             extract(epoch FROM now() - seen_at)::float8 AS "ageSeconds",
             clock_ahead_seconds AS "clockAheadSeconds"
        FROM verifiers WHERE seen_at > now() - make_interval(secs => $1)
       ORDER BY service, instance`,
    values: [verifierTimeoutSeconds],
  })
  return rows
}

/** An instance of auth that reported within the last minute. */
export interface AuthInstance {
  instance: string
  uptimeSeconds: number
}

/** Lists the running instances of auth, the one that has been running longest first. */
export async function listAuthInstances(db: Queryable): Promise<AuthInstance[]> {
  const { rows } = await db.query<AuthInstance>(
    `SELECT instance, extract(epoch FROM now() - started_at)::float8 AS "uptimeSeconds"
       FROM verifiers
      WHERE service = 'auth' AND started_at IS NOT NULL
        AND seen_at > now() - make_interval(secs => $1)
      ORDER BY started_at`,
    [verifierTimeoutSeconds],
  )
  return rows
}

/** Stores that an instance signs with a key: its tokens may be valid for this long from now. */
export async function reportSigningKey(
  db: Queryable,
  kid: string,
  liveForSeconds: number,
): Promise<void> {
  await db.query({
    name: 'signing_key_report',
    text: `
      INSERT INTO signing_keys AS s (kid, live_until) VALUES ($1, now() + make_interval(secs => $2))
      ON CONFLICT (kid) DO UPDATE SET live_until = greatest(s.live_until, excluded.live_until)
      RETURNING ${withoutWaiting}`,
    values: [kid, liveForSeconds],
  })
}

/** Lists the keys whose tokens may be valid, with the seconds until the last of them expires. */
export async function listLiveSigningKeys(
  db: Queryable,
): Promise<{ kid: string; liveSeconds: number }[]> {
  const { rows } = await db.query<{ kid: string; liveSeconds: number }>({
    name: 'signing_key_list',
    text: `
      SELECT kid, extract(epoch FROM live_until - now())::float8 AS "liveSeconds"
        FROM signing_keys WHERE live_until > now() ORDER BY live_until DESC`,
  })
  return rows
}

/**
 * Stores that a client assertion was used.
 *
 * @param assertion `expiresAt`: seconds since 1970 after which no verifier accepts it
 * @returns whether this was its first use
 */
export async function rememberAssertion(
  db: Queryable,
  { client, jti, expiresAt }: { client: string; jti: string; expiresAt: number },
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'assertion_remember',
    text: `
      INSERT INTO used_assertions (client, jti, expires_at) VALUES ($1, $2, to_timestamp($3))
      ON CONFLICT DO NOTHING
      RETURNING ${withoutStandby}`,
    values: [client, jti, expiresAt],
  })
  return rowCount === 1
}

/** Deletes used assertions that have expired. */
export const deleteExpiredAssertions = (db: Queryable): Promise<void> =>
  deleteInBatches(db, 'used_assertions', 'expires_at < now()')

/** Deletes reports that no command reads any more. */
export async function deleteOldReports(db: Queryable): Promise<void> {
  await deleteInBatches(db, 'verifiers', `seen_at < now() - interval '1 hour'`)
  await deleteInBatches(db, 'signing_keys', `live_until < now() - interval '1 day'`)
}
