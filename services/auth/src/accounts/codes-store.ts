// Writes mailed_codes; reads users.
import type { Queryable, Transaction } from '@latchkey/service-kit'
import { recordEvent } from '../audit/store.ts'
import { durably } from '../commit.ts'
import { deleteInBatches } from '../delete-in-batches.ts'
import { enqueueMail } from '../mail/outbox-store.ts'
import type { NewCode } from './new-code.ts'
import type { CodeHashes } from './verification.ts'

export type CodeKind = 'password-reset' | 'email-change' | 'email-undo'

/** A code that was mailed, with its user. */
export interface StoredCode {
  /** `null`: nobody can use it. */
  codeHash: Buffer | null
  userId: string
  /** The current address of the user; of a code that nobody can use, the one it was requested for. */
  email: string
  /** The address that the code was asked for, confirms or restores. */
  newEmail: string
}

/**
 * Finds a code by its ID. A code to reset a password is for the address that it was mailed to: one
 * that was requested while the address changed is of no use to whoever reads the old one.
 *
 * A code that nobody can use is found too, because its user is disabled, or its address has no
 * account. Guesses at it count like all others; otherwise the limits would reveal which addresses
 * have one.
 *
 * @returns `undefined` when the code is unknown or has expired
 */
export async function findCode(
  db: Queryable,
  kind: CodeKind,
  idHash: Buffer,
): Promise<StoredCode | undefined> {
  const { rows } = await db.query<StoredCode>({
    name: 'code_find',
    text: `
      SELECT CASE WHEN users.id IS NOT NULL THEN code_hash END AS "codeHash", user_id AS "userId",
             coalesce(users.email, mailed_codes.email) AS email, mailed_codes.email AS "newEmail"
        FROM mailed_codes LEFT JOIN users ON users.id = user_id AND disabled_at IS NULL
             AND (kind <> 'password-reset' OR lower(users.email) = lower(mailed_codes.email))
       WHERE id_hash = $1 AND kind = $2 AND mailed_codes.expires_at > now()`,
    values: [idHash, kind],
  })
  return rows[0]
}

/**
 * Finds a code that confirms or restores an address. Guesses count for that address: the user's own
 * has limits that the user could stretch.
 */
export async function findAddressCode(
  db: Queryable,
  kind: 'email-change' | 'email-undo',
  idHash: Buffer,
): Promise<(StoredCode & { oldEmail: string }) | undefined> {
  const found = await findCode(db, kind, idHash)
  return found && { ...found, email: found.newEmail, oldEmail: found.email }
}

/**
 * Locks the user, then uses a code up: of several requests with the same code, one gets it. Every
 * transaction locks the user first, so that no two of them can deadlock.
 *
 * @returns `undefined` when it has been used
 */
export async function useCode(
  transaction: Transaction,
  kind: CodeKind,
  { userId, idHash, codeHash }: CodeHashes & { userId: string },
): Promise<{ expiresAt: Date } | undefined> {
  await transaction.query(`SELECT ${durably} FROM users WHERE id = $1 FOR NO KEY UPDATE`, [userId])
  const { rows } = await transaction.query<{ expiresAt: Date }>({
    name: 'code_use',
    text: `
      DELETE FROM mailed_codes
       WHERE id_hash = $1 AND code_hash = $2 AND kind = $3 AND user_id = $4 AND expires_at > now()
      RETURNING expires_at AS "expiresAt"`,
    values: [idHash, codeHash, kind, userId],
  })
  return rows[0]
}

/**
 * Deletes the codes that could still change the password or the address of a user. An old
 * address can still be restored: otherwise a thief who has changed it could make that permanent.
 */
export async function forgetCodes(transaction: Transaction, userId: string): Promise<void> {
  await transaction.query({
    name: 'code_forget',
    text: `DELETE FROM mailed_codes WHERE user_id = $1 AND kind <> 'email-undo'`,
    values: [userId],
  })
}

/** SQL expressions of the code to store. */
interface InsertedCode {
  kind: CodeKind
  userId: string
  email: string
  mail: `$${number}`
  from?: string
}

/** The index by which a code replaces the one before. Offers to restore an address all remain. */
const conflicts: Readonly<Record<CodeKind, string>> = {
  'password-reset': `(lower(email)) WHERE kind = 'password-reset'`,
  'email-change': `(user_id) WHERE kind = 'email-change'`,
  'email-undo': '(id_hash)',
}

/**
 * SQL that stores a code in place of the one before, unless the new one is not mailed: strangers who
 * ask too often must not make the last code useless. $1 to $3: its hashes and its lifetime.
 */
const insertCode = ({ kind, userId, email, mail, from = '' }: InsertedCode) => `
  INSERT INTO mailed_codes (id_hash, code_hash, kind, user_id, email, expires_at)
  SELECT $1::bytea, $2::bytea, '${kind}', ${userId}, ${email}, now() + make_interval(secs => $3) ${from}
  ON CONFLICT ${conflicts[kind]} DO UPDATE
     SET ${['id_hash', 'code_hash', 'user_id', 'email', 'expires_at'].map(
       (column) =>
         `${column} = CASE WHEN ${mail}::jsonb IS NULL THEN mailed_codes.${column} ELSE excluded.${column} END`,
     )}
  RETURNING user_id`

/**
 * Stores and mails a code to reset a password. For an address without an account it does the same
 * work: the code belongs to nobody, and the mail is not sent.
 */
export async function requestPasswordReset(
  db: Queryable,
  email: string,
  { hashes, ttlSeconds, mail, event }: NewCode,
): Promise<void> {
  await db.query({
    name: 'password_reset_request',
    text: `
      WITH code AS (${insertCode({
        kind: 'password-reset',
        userId: '(SELECT id FROM users WHERE lower(email) = lower($4) AND disabled_at IS NULL)',
        email: '$4::text',
        mail: '$5',
      })})
      SELECT ${recordEvent('$6', 'user_id')}, ${durably},
             ${enqueueMail('$5', `CASE WHEN user_id IS NULL THEN 'none' ELSE 'password-reset' END`)}
        FROM code`,
    values: [hashes.idHash, hashes.codeHash, ttlSeconds, email, mail, event],
  })
}

/** Stores and mails a code with which a user sets a password, for an admin or after an undo. */
export async function inviteToSetPassword(
  db: Queryable,
  userId: string,
  { hashes, ttlSeconds, mail, event }: NewCode,
): Promise<void> {
  await db.query({
    name: 'password_set_invite',
    text: `
      WITH code AS (${insertCode({ kind: 'password-reset', userId: 'id', email: 'email', mail: '$5', from: 'FROM users WHERE id = $4' })})
      SELECT ${recordEvent('$6', 'user_id')}, ${durably}, ${enqueueMail('$5', `'set-password'`)}
        FROM code`,
    values: [hashes.idHash, hashes.codeHash, ttlSeconds, userId, mail, event],
  })
}

/** A user whose password was just verified, and who wants another address. */
interface EmailChange {
  userId: string
  passwordVersion: number
  email: string
}

/**
 * Stores and mails a code that confirms a new address of a user. The owner of an address that has an
 * account is told so instead.
 *
 * The user's row is share-locked. A change of the password either commits before this statement, and
 * is seen here, or after it, and deletes this code.
 *
 * @returns false when the password was changed or the user disabled meanwhile
 */
export async function requestEmailChange(
  db: Queryable,
  { userId, passwordVersion, email }: EmailChange,
  { hashes, ttlSeconds, mail, event }: NewCode,
): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'email_change_request',
    text: `
      WITH u AS (
        SELECT id FROM users WHERE id = $4 AND password_version = $8 AND disabled_at IS NULL FOR SHARE
      ), code AS (${insertCode({ kind: 'email-change', userId: 'id', email: '$5::text', mail: '$6', from: 'FROM u' })})
      SELECT ${recordEvent('$7', 'user_id')}, ${durably},
             ${enqueueMail(
               '$6',
               `CASE WHEN EXISTS (SELECT FROM users WHERE lower(email) = lower($5) AND id <> $4)
                     THEN 'email-taken' ELSE 'email-change' END`,
             )}
        FROM code`,
    values: [
      hashes.idHash,
      hashes.codeHash,
      ttlSeconds,
      userId,
      email,
      mail,
      event,
      passwordVersion,
    ],
  })
  return rowCount === 1
}

/** Stores and mails a code with which the owner of the old address can restore it. */
export async function offerUndo(
  transaction: Transaction,
  { userId, email }: { userId: string; email: string },
  { hashes, ttlSeconds, mail }: Omit<NewCode, 'event'>,
): Promise<void> {
  await transaction.query({
    name: 'email_undo_offer',
    text: `
      WITH code AS (${insertCode({ kind: 'email-undo', userId: '$4::uuid', email: '$5::text', mail: '$6' })})
      SELECT ${enqueueMail('$6', `'email-changed'`)} FROM code`,
    values: [hashes.idHash, hashes.codeHash, ttlSeconds, userId, email, mail],
  })
}

/** Deletes offers to restore an address that were mailed later than one that is used now. */
export async function deleteLaterUndos(
  transaction: Transaction,
  userId: string,
  expiresAt: Date,
): Promise<void> {
  await transaction.query(
    `DELETE FROM mailed_codes WHERE user_id = $1 AND kind = 'email-undo' AND expires_at >= $2`,
    [userId, expiresAt],
  )
}

/** Deletes codes that have expired. */
export const deleteExpiredCodes = (db: Queryable): Promise<void> =>
  deleteInBatches(db, 'mailed_codes', 'expires_at < now()')
