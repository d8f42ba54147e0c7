// Writes pending_registrations, and the users they become.
import { createUuid, type Queryable } from '@latchkey/service-kit'
import { recordEvent } from '../audit/store.ts'
import { durably } from '../commit.ts'
import { deleteInBatches } from '../delete-in-batches.ts'
import { enqueueMail } from '../mail/outbox-store.ts'
import type { NewCode } from './new-code.ts'
import { asUser, type NewUser, type User, unlessTaken } from './store.ts'
import type { CodeHashes } from './verification.ts'

/**
 * Stores that an address asks for an account, and mails it a code. The owner of an address that has
 * one is told so instead, by the same statement, which takes as long.
 */
export async function requestRegistration(
  db: Queryable,
  email: string,
  { hashes, ttlSeconds, mail, event }: NewCode,
): Promise<void> {
  await db.query({
    name: 'registration_request',
    text: `
      WITH pending AS (
        INSERT INTO pending_registrations (id_hash, code_hash, email, expires_at)
        VALUES ($1, $2, $4, now() + make_interval(secs => $3))
        RETURNING email
      )
      SELECT ${recordEvent('$6', 'NULL')}, ${durably},
             ${enqueueMail(
               '$5',
               `CASE WHEN EXISTS (SELECT FROM users WHERE lower(users.email) = lower(pending.email))
                     THEN 'account-exists' ELSE 'registration' END`,
             )}
        FROM pending`,
    values: [hashes.idHash, hashes.codeHash, ttlSeconds, email, mail, event],
  })
}

/** @returns `undefined` when the registration is unknown, was confirmed, or has expired */
export async function findRegistration(
  db: Queryable,
  idHash: Buffer,
): Promise<{ codeHash: Buffer; email: string } | undefined> {
  const { rows } = await db.query<{ codeHash: Buffer; email: string }>({
    name: 'registration_find',
    text: `
      SELECT code_hash AS "codeHash", email FROM pending_registrations
       WHERE id_hash = $1 AND expires_at > now()`,
    values: [idHash],
  })
  return rows[0]
}

/**
 * Uses a code up and creates its user: of several requests with the same code, one does.
 *
 * @returns `user: undefined` when the address has got an account meanwhile; `undefined` when the code
 *   has been used
 */
export async function confirmRegistration(
  db: Queryable,
  { idHash, codeHash }: CodeHashes,
  user: Pick<NewUser, 'passwordHash' | 'scope' | 'network' | 'event'>,
): Promise<{ user: User | undefined } | undefined> {
  const statement = db.query<User>({
    name: 'registration_confirm',
    text: `
      WITH pending AS (
        DELETE FROM pending_registrations
         WHERE id_hash = $1 AND code_hash = $2 AND expires_at > now()
        RETURNING email
      ), created AS (
        INSERT INTO users (id, email, password_hash, scope, registered_from, email_verified_at)
        SELECT $3, email, $4, $5, $6, now() FROM pending
        RETURNING *
      )
      SELECT ${asUser}, ${durably}, ${recordEvent('$7', 'id')} FROM created`,
    values: [
      idHash,
      codeHash,
      createUuid(),
      user.passwordHash,
      user.scope,
      user.network,
      user.event,
    ],
  })
  const created = await unlessTaken(statement)
  if (created === undefined) return { user: undefined }
  const [row] = created.rows
  return row && { user: row }
}

/** Deletes registrations that nobody has confirmed in time. */
export const deleteExpiredRegistrations = (db: Queryable): Promise<void> =>
  deleteInBatches(db, 'pending_registrations', 'expires_at < now()')
