import { startEmbeddedPostgres } from '@latchkey/embedded-postgres'
import { writeKeyFile } from '@latchkey/test-kit'
import { startService } from '@latchkey/test-kit/service'
import { openKeyring } from '@latchkey/verify'
import pg from 'pg'
import { createRefreshTokens } from '../../services/auth/src/sessions/refresh-token.ts'

/** What closes the parts of a benchmark. */
export type HasTeardown = Parameters<typeof writeKeyFile>[0]

/** A session as its client knows it. */
export interface ClientSession {
  readonly sessionId: string
  generation: number
  refreshToken: string
}

/** An auth service with a Postgres of its own. */
export interface RefreshServer {
  readonly url: string
  readonly databaseUrl: string
  /** Adds a user with a session, this many times. */
  addSessions(count: number): Promise<ClientSession[]>
}

const insertSessions = `
  WITH u AS (
    INSERT INTO users (id, email, password_hash, scope, roles, registered_from)
    SELECT uuidv7(), gen_random_uuid() || '@example.com', '', 'orders:read orders:write',
           '{user}', '192.0.2.1'
      FROM generate_series(1, $1)
    RETURNING id
  )
  INSERT INTO sessions (id, user_id, network, expires_at)
  SELECT uuidv7(), id, '192.0.2.1', now() + interval '30 days' FROM u
  RETURNING id AS "sessionId"`

/**
 * Starts both, each as its own process. The service has the settings of production: it logs a line
 * for each request, and this process reads the lines.
 */
export async function startRefreshServer(
  t: HasTeardown,
  { durable }: { durable: boolean },
): Promise<RefreshServer> {
  const postgres = await startEmbeddedPostgres(100, { durable })
  t.teardown(() => postgres.stop())
  const { file } = writeKeyFile(t)
  const auth = await startService('auth', {
    LATCHKEY_ISSUER: 'https://sso.example.com',
    LATCHKEY_AUDIENCES: 'orders billing',
    LATCHKEY_KEYS_FILE: file,
    LATCHKEY_DATABASE_URL: postgres.url,
  })
  t.teardown(() => auth.stop())
  const keyring = openKeyring(file)
  t.teardown(() => keyring.close())
  const refreshTokens = createRefreshTokens(keyring)

  async function addSessions(count: number): Promise<ClientSession[]> {
    const client = new pg.Client(postgres.url)
    await client.connect()
    const { rows } = await client.query<{ sessionId: string }>(insertSessions, [count])
    await client.query('VACUUM ANALYZE users, sessions')
    await client.end()
    return rows.map(({ sessionId }) => {
      const session = { sessionId, generation: 0 }
      return { ...session, refreshToken: refreshTokens.format(session) }
    })
  }
  return { url: auth.url, databaseUrl: postgres.url, addSessions }
}
