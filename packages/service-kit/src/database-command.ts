import { Type } from 'typebox'
import { loadConfig } from './config.ts'
import type { Queryable } from './database.ts'
import { createClientClass } from './database-client.ts'
import { describeDatabaseError, isDatabaseUnavailable } from './database-errors.ts'
import { createUrlReader } from './database-url.ts'
import { serviceSettings } from './settings.ts'

const { LATCHKEY_DATABASE_URL } = serviceSettings
const settings = Type.Object({ LATCHKEY_DATABASE_URL })

/** Longest wait for a connection, and for the result of a statement, in milliseconds. */
const connectionTimeoutMs = 5_000
const queryTimeoutMs = 10_000

/** A command's connection to the database of a service. */
export interface CommandDatabase extends Queryable {
  /** Its URL, which may contain a password. */
  readonly url: string
  close(): Promise<void>
}

/**
 * Connects a command to the database that LATCHKEY_DATABASE_URL or LATCHKEY_DATABASE_URL_FILE names.
 *
 * Works through a pooler too: it prepares no statement, and sends no start-up parameter of its own.
 *
 * @throws ConfigError when the setting is missing or wrong
 * @throws Error when the database cannot be reached; the message names the cause and no secret
 */
export async function connectDatabase(env: NodeJS.ProcessEnv): Promise<CommandDatabase> {
  const readUrl = createUrlReader(loadConfig(settings, env))
  const client = new (createClientClass({ readUrl, unnamed: true }))({
    application_name: 'latchkey',
    connectionTimeoutMillis: connectionTimeoutMs,
    query_timeout: queryTimeoutMs,
  })
  // Without a listener, a connection lost between two statements would end the process.
  client.on('error', () => {})
  await client.connect().catch((err: unknown) => {
    throw isDatabaseUnavailable(err) ? new Error(describeDatabaseError(err), { cause: err }) : err
  })
  return {
    url: readUrl(),
    query: client.query.bind(client) as Queryable['query'],
    close: () => client.end().catch(() => {}),
  }
}
