import type pg from 'pg'

/** Rows to seed. Every user has five sessions, and five events in the audit log. */
export interface Size {
  readonly users: number
  readonly sessions: number
}

const startedMs = Date.now()

/** The UUIDv7 of row `n` of `count`, whose time is within the last `days`. */
const idOf = (n: string, { count, days }: { count: number; days: number }) => `(
  lpad(to_hex(${startedMs} - ${days * 86_400_000}::bigint * (${count} - ${n}) / ${count}), 12, '0')
  || '7' || left(md5((${n})::text), 3) || '8' || substr(md5((${n})::text), 4, 15))::uuid`

/**
 * SQL that fills each table. Rows of one user are far apart, as they are in production, where they
 * are written over weeks; a prime number distributes them.
 */
function createStatements({ users, sessions }: Size): Record<string, string> {
  const userOf = (n: string, prime: number) => `(1 + ${n} * ${prime}::bigint % ${users})`
  const userId = (n: string) => idOf(n, { count: users, days: 730 })
  const rows = (count: number) => `generate_series(1, ${Math.ceil(count)}::bigint) AS n`
  const events = 5 * users
  return {
    users: `
      INSERT INTO users (id, email, password_hash, scope, registered_from, email_verified_at, created_at)
      SELECT ${userId('n')}, left(md5(n::text), 8) || n || '@example.com',
             '$argon2id$v=19$m=65536,t=3,p=4$' || md5(n::text) || '$' || md5('a' || n),
             'orders:read orders:write', '172.16.0.0'::inet + n % 1000000, now(),
             now() - interval '730 days' * (1 - n / ${users}::float8)
        FROM ${rows(users)}`,
    // A fifth is revoked. The oldest have expired within the last day.
    sessions: `
      INSERT INTO sessions (id, user_id, generation, network, user_agent, created_at, refreshed_at,
                            expires_at, revoked_at)
      SELECT ${idOf('n', { count: sessions, days: 30.5 })}, ${userId(userOf('n', 48_271))},
             abs(hashint8(n) % 50),
             CASE WHEN n <= ${sessions} * 0.6 THEN '10.0.0.0'::inet + ${userOf('n', 48_271)}
                  ELSE '11.0.0.0'::inet + n % 16000000 END,
             'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
             created_at, created_at + (now() - created_at) * 0.9, created_at + interval '30 days',
             CASE WHEN hashint8(n) % 5 = 0 THEN created_at + (now() - created_at) * 0.95 END
        FROM ${rows(sessions)},
             LATERAL (SELECT now() - interval '30.5 days' * (1 - n / ${sessions}::float8) AS created_at)`,
    audit_events: `
      INSERT INTO audit_events (occurred_at, action, result, actor, actor_id, subject_id, client,
                                network, request_id)
      SELECT now() - interval '365 days' * (1 - n / ${events}::float8),
             (ARRAY['login', 'login', 'login', 'logout', 'confirmRegistration', 'resetPassword'])
               [1 + n % 6],
             CASE WHEN n % 20 = 0 THEN 'refused' ELSE 'ok' END, 'user', id, id,
             'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)',
             '10.0.0.0'::inet + n % 16000000, gen_random_uuid()
        FROM ${rows(events)}, LATERAL (SELECT ${userId(userOf('n', 69_621))} AS id)`,
    revocations: `
      INSERT INTO revocations (kind, id, expires_at)
      SELECT 'session', gen_random_uuid(), now() + interval '62 minutes' FROM ${rows(users / 20)}`,
    login_failures: `
      INSERT INTO login_failures (key, failures, allowed, retry_at, forget_at)
      SELECT 'account:' || encode(sha256(n::text::bytea), 'base64'), 1, 10, '-infinity',
             now() + interval '1 day'
        FROM ${rows(users / 20)}`,
    rate_limits: `
      INSERT INTO rate_limits (key, count, resets_at)
      SELECT 'login ' || n || '@example.com', 1, now() + interval '1 day' FROM ${rows(users / 20)}`,
    mailed_codes: `
      INSERT INTO mailed_codes (id_hash, code_hash, kind, user_id, email, expires_at)
      SELECT sha256(n::text::bytea), sha256(n::text::bytea),
             (ARRAY['password-reset', 'email-change', 'email-undo'])[1 + n % 3], ${userId('n * 50')},
             n || '@example.com', now() + interval '1 day'
        FROM ${rows(users / 50)}`,
    pending_registrations: `
      INSERT INTO pending_registrations (id_hash, code_hash, email, expires_at)
      SELECT sha256(n::text::bytea), sha256(n::text::bytea), n || '@example.com',
             now() + interval '1 day'
        FROM ${rows(users / 50)}`,
    outbox: `
      INSERT INTO outbox (id, kind, recipient, sealed, expires_at, next_attempt_at, dead_at)
      SELECT gen_random_uuid(), 'password-reset', n || '@example.com', sha256(n::text::bytea),
             now() + interval '1 day', now() + interval '1 day', CASE WHEN n % 2 = 0 THEN now() END
        FROM ${rows(users / 100)}`,
    erased_users: `
      INSERT INTO erased_users (id) SELECT gen_random_uuid() FROM ${rows(users / 100)}`,
    used_assertions: `
      INSERT INTO used_assertions (client, jti, expires_at)
      SELECT 'operator', gen_random_uuid(), now() + interval '1 day' FROM ${rows(users / 100)}`,
  }
}

/** Fills the tables of auth, with their indexes and triggers as they are, and reads all into memory. */
export async function seed(client: pg.ClientBase, size: Size): Promise<void> {
  for (const [table, statement] of Object.entries(createStatements(size))) {
    const started = performance.now()
    const { rowCount } = await client.query(statement)
    await client.query(`VACUUM ANALYZE ${table}`)
    const { rows } = await client.query<{ size: string }>(
      `SELECT pg_size_pretty(pg_total_relation_size($1::regclass)) AS size`,
      [table],
    )
    const seconds = ((performance.now() - started) / 1_000).toFixed(0)
    console.log(
      `  ${table}: ${rowCount?.toLocaleString('en')} rows, ${rows[0]?.size}, ${seconds} s`,
    )
  }
  await client.query('CREATE EXTENSION pg_prewarm')
  await client.query(`
    SELECT pg_prewarm(oid) FROM pg_class
     WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'i')`)
  await client.query('CHECKPOINT')
}
