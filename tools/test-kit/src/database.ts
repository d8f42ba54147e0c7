import { randomBytes } from 'node:crypto'
import { Client } from 'pg'

/** What these helpers need of a tap test: something to clean up after. */
export interface HasTeardown {
  teardown(clean: () => unknown): unknown
}

/**
 * Creates an empty database on the run's Postgres and drops it, connections included, at the
 * test's teardown. Test files run side by side, so each takes databases of its own.
 *
 * @returns its connection URI
 * @throws when no Postgres was handed over: start tests with `npm test -- <file>`
 */
export async function createDatabase(t: HasTeardown): Promise<string> {
  const server = process.env.LATCHKEY_TEST_DATABASE_URL
  if (server === undefined) {
    throw new Error('No Postgres for this test: run it as `npm test -- <file>`.')
  }
  const name = `latchkey_test_${randomBytes(8).toString('hex')}`
  await execute(server, `CREATE DATABASE ${name}`)
  t.teardown(() => execute(server, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

async function execute(connectionString: string, statement: string): Promise<void> {
  const client = new Client({ connectionString, connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
