// Reads users and sessions; writes login_failures, and a user's password_hash.
import type { Queryable } from '@latchkey/service-kit'
import { withoutWaiting } from '../commit.ts'
import { deleteInBatches } from '../delete-in-batches.ts'
import { hashKey } from '../limits/store.ts'

/** A login attempt: what is needed to verify the password, and whether it has to wait. */
export interface LoginAttempt {
  /** `null`, like the three below, if the account does not exist. */
  userId: string | null
  passwordHash: string | null
  passwordVersion: number | null
  disabled: boolean | null
  /** The counters this attempt was added to; a success settles them. */
  failureKeys: string[]
  /** Seconds to wait before the next attempt; `null` when this one may proceed. */
  retryAfterSeconds: number | null
}

/** Failures without a delay: of strangers at an account, of a network, of a familiar network. */
const allowed = { account: 10, network: 100, familiar: 100 }
/** The longest delay, in seconds. A stranger cannot keep the owner of an account out for longer. */
const maxDelaySeconds = 60
/** Failures expire after this long without another one, in seconds. */
const failureRetentionSeconds = 900

/**
 * Looks up an account and counts the attempt as a failure, before any hash is computed; a success
 * reverts that. Parallel guesses queue on the counter's row, so no more of them get through than in
 * sequence.
 *
 * Strangers count against the account and against their network; after the allowed failures the
 * delay doubles up to a minute. Attempts from a network this account has used before have their own
 * counter, so nobody elsewhere can keep the owner out.
 */
export async function admitLogin(
  db: Queryable,
  { email, network }: { email: string; network: string },
): Promise<LoginAttempt> {
  const emailHash = hashKey(email.toLowerCase())
  const { rows } = await db.query<LoginAttempt>({
    name: 'login_admit',
    text: admitLoginSql,
    values: [email, network, emailHash],
  })
  return rows[0] as LoginAttempt
}

const admitLoginSql = `
  WITH account AS (
    SELECT id, password_hash, password_version, disabled_at IS NOT NULL AS disabled,
           registered_from = $2 OR EXISTS (
             SELECT FROM sessions WHERE user_id = users.id AND network = $2) AS familiar
      FROM users WHERE lower(email) = lower($1)
  ), counter AS (
    SELECT 'familiar:' || id || '@' || host($2) AS key, ${allowed.familiar} AS allowed
      FROM account WHERE familiar
    UNION ALL
    SELECT key, allowed
      FROM (VALUES ('account:' || $3, ${allowed.account}),
                   ('network:' || host($2), ${allowed.network})) AS c (key, allowed)
     WHERE NOT EXISTS (SELECT FROM account WHERE familiar)
  ), blocked AS (
    SELECT ceil(extract(epoch FROM max(retry_at) - now()))::int AS seconds
      FROM login_failures JOIN counter USING (key) WHERE retry_at > now()
  ), counted AS (
    INSERT INTO login_failures AS f (key, failures, allowed, retry_at, forget_at)
    SELECT key, 1, allowed, '-infinity', now() + interval '${failureRetentionSeconds} seconds'
      FROM counter, blocked WHERE seconds IS NULL ORDER BY key
    ON CONFLICT (key) DO UPDATE
       SET failures = CASE WHEN f.forget_at <= now() THEN 1 ELSE f.failures + 1 END,
           retry_at = CASE
             WHEN f.forget_at > now() AND f.failures >= f.allowed
               THEN now() + make_interval(secs =>
                      least(${maxDelaySeconds}, power(2, least(f.failures - f.allowed, 20))))
             ELSE '-infinity' END,
           forget_at = excluded.forget_at
     WHERE f.retry_at <= now()
    RETURNING key
  )
  SELECT account.id AS "userId", account.password_hash AS "passwordHash",
         account.password_version AS "passwordVersion", account.disabled,
         ARRAY(SELECT key FROM counted) AS "failureKeys",
         CASE WHEN (SELECT count(*) FROM counted) < (SELECT count(*) FROM counter)
           THEN coalesce(blocked.seconds, 1) END AS "retryAfterSeconds"
    FROM blocked LEFT JOIN account ON true`

/**
 * Takes a successful attempt off the counters it was added to, and ends their delay.
 *
 * A statement of its own: in the one that opens the session its locks would add to those of the
 * user and the sessions, in another order than a password change takes them.
 */
export async function settleFailures(db: Queryable, keys: string[]): Promise<void> {
  await db.query({
    name: 'login_settle',
    text: `
      UPDATE login_failures SET failures = greatest(failures - 1, 0), retry_at = '-infinity'
       WHERE key IN (SELECT key FROM login_failures WHERE key = ANY ($1) ORDER BY key FOR UPDATE)`,
    values: [keys],
  })
}

/**
 * Replaces the hash of an unchanged password, for instance by one with another cost.
 *
 * A separate statement: as part of the login's it would wait for another login of the same user.
 */
export async function replacePasswordHash(
  db: Queryable,
  user: { userId: string; passwordVersion: number; passwordHash: string },
): Promise<void> {
  await db.query({
    name: 'user_rehash',
    text: `
      UPDATE users SET password_hash = $3 WHERE id = $1 AND password_version = $2
      RETURNING ${withoutWaiting}`,
    values: [user.userId, user.passwordVersion, user.passwordHash],
  })
}

/** Deletes counters of failures that have expired. */
export async function deleteExpiredLoginFailures(db: Queryable): Promise<void> {
  await deleteInBatches(db, 'login_failures', 'forget_at < now()')
}
