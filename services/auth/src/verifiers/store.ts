import type { Queryable } from '@latchkey/service-kit'

/** A process that verifies tokens, as it last reported. */
export interface VerifierReport {
  service: string
  instance: string
  /** The key IDs it holds, the signing one first. */
  kids: string[]
  /** How long ago it reported, in seconds. */
  ageSeconds: number
}

/** Since when a silent verifier is taken for gone, in seconds. */
const goneAfterSeconds = 60

/** Notes which keys a verifier holds. A report that says nothing new is written every 5 seconds at most. */
export async function reportVerifier(
  db: Queryable,
  report: Pick<VerifierReport, 'service' | 'instance' | 'kids'>,
): Promise<void> {
  await db.query({
    name: 'verifier_report',
    text: `
      INSERT INTO verifiers AS v (instance, service, kids, seen_at) VALUES ($1, $2, $3, now())
      ON CONFLICT (service, instance) DO UPDATE
         SET kids = excluded.kids, seen_at = excluded.seen_at
       WHERE v.kids <> excluded.kids OR v.seen_at < now() - interval '5 seconds'`,
    values: [report.instance, report.service, report.kids],
  })
}

/** The verifiers seen lately. */
export async function listVerifiers(db: Queryable): Promise<VerifierReport[]> {
  const { rows } = await db.query<VerifierReport>({
    name: 'verifier_list',
    text: `
      SELECT service, instance, kids,
             extract(epoch FROM now() - seen_at)::float8 AS "ageSeconds"
        FROM verifiers WHERE seen_at > now() - make_interval(secs => $1)
       ORDER BY service, instance`,
    values: [goneAfterSeconds],
  })
  return rows
}

/** Notes that an instance signs with a key, so that tokens under it may live for so long. */
export async function reportSigning(
  db: Queryable,
  kid: string,
  liveForSeconds: number,
): Promise<void> {
  await db.query({
    name: 'signing_key_report',
    text: `
      INSERT INTO signing_keys AS s (kid, live_until) VALUES ($1, now() + make_interval(secs => $2))
      ON CONFLICT (kid) DO UPDATE SET live_until = greatest(s.live_until, excluded.live_until)`,
    values: [kid, liveForSeconds],
  })
}

/** Keys whose tokens may still live, with the seconds until the last of them has expired. */
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

/** Removes what nobody asks for any more. */
export async function forgetOldReports(db: Queryable): Promise<void> {
  await db.query(`DELETE FROM verifiers WHERE seen_at < now() - interval '1 hour'`)
  await db.query(`DELETE FROM signing_keys WHERE live_until < now() - interval '1 day'`)
}
