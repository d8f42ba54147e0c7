// The outbox: mail is written in the transaction that causes it, and sent by any instance.
import type { Queryable } from '@latchkey/service-kit'
import { withoutStandby, withoutWaiting } from '../commit.ts'
import { deleteInBatches } from '../delete-in-batches.ts'
import type { MailKind } from './kinds.ts'

/** A mail to write, as `enqueue_mail` of the database stores it. */
export interface NewMail {
  id: string
  recipient: string
  /** Made by `sealMail`, in base64. */
  sealed: string
  /** It is not sent any more after this time. */
  ttl_seconds: number
}

/** A mail that one instance is to send. */
export interface ClaimedMail {
  id: string
  kind: MailKind
  recipient: string
  sealed: Buffer
  /** Including this one. */
  attempts: number
  expired: boolean
}

/**
 * SQL that adds a mail for each row of the outermost SELECT or RETURNING, in the transaction of what
 * causes it.
 *
 * @param mail the parameter with a `NewMail`, such as `$5`; null: nothing is added
 * @param kind SQL of its kind
 */
export const enqueueMail = (mail: `$${number}`, kind: string): string =>
  `enqueue_mail(${mail}::jsonb, ${kind}) AS mail`

/**
 * Reserves the mail that is due first, for as long as the lease. Other instances skip it. If this
 * one crashes, another sends the mail after the lease, possibly for the second time.
 */
export async function claimMail(
  db: Queryable,
  leaseSeconds: number,
): Promise<ClaimedMail | undefined> {
  const { rows } = await db.query<ClaimedMail>({
    name: 'mail_claim',
    text: `
      UPDATE outbox
         SET attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => $1)
       WHERE id = (
         SELECT id FROM outbox WHERE dead_at IS NULL AND next_attempt_at <= now()
          ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED)
      RETURNING id, kind, recipient, sealed, attempts, expires_at <= now() AS expired,
                ${withoutWaiting}`,
    values: [leaseSeconds],
  })
  return rows[0]
}

/** Removes a mail that has been sent. */
export async function deleteMail(db: Queryable, id: string): Promise<void> {
  await db.query({
    name: 'mail_delete',
    text: `DELETE FROM outbox WHERE id = $1 RETURNING ${withoutStandby}`,
    values: [id],
  })
}

/** Schedules the next attempt. */
export async function postponeMail(db: Queryable, id: string, seconds: number): Promise<void> {
  await db.query({
    name: 'mail_postpone',
    text: `
      UPDATE outbox SET next_attempt_at = now() + make_interval(secs => $2) WHERE id = $1
      RETURNING ${withoutWaiting}`,
    values: [id, seconds],
  })
}

/** Gives a mail up: it has expired, or was refused. Its content is erased. */
export async function buryMail(db: Queryable, id: string): Promise<void> {
  await db.query({
    name: 'mail_bury',
    text: `
      UPDATE outbox SET dead_at = now(), sealed = '' WHERE id = $1 AND dead_at IS NULL
      RETURNING ${withoutStandby}`,
    values: [id],
  })
}

/** Counts the mail in the outbox, and tells how long the oldest one has waited. */
export async function countMail(
  db: Queryable,
): Promise<{ queued: number; dead: number; oldestSeconds: number }> {
  const { rows } = await db.query(`
    SELECT (count(*) FILTER (WHERE dead_at IS NULL))::int AS queued, count(dead_at)::int AS dead,
           coalesce(extract(epoch FROM now() - min(created_at) FILTER (WHERE dead_at IS NULL)), 0)
             ::float8 AS "oldestSeconds"
      FROM outbox`)
  return rows[0]
}

/** Deletes mail that was given up seven days ago. */
export async function deleteDeadMail(db: Queryable): Promise<void> {
  await deleteInBatches(db, 'outbox', `dead_at < now() - interval '7 days'`)
}
