import { randomBytes } from 'node:crypto'
import { Client } from 'pg'

/** The part of a tap test that these helpers need. */
export interface HasTeardown {
  teardown(clean: () => unknown): unknown
}

/**
 * Creates an empty database on the server of the test run. The test's teardown drops it and ends
 * its connections. Test files run in parallel, so they must not share databases.
 *
 * @returns its connection URI
 * @throws Error outside of a test run: start tests with `npm test -- <file>`
 */
export async function createDatabase(t: HasTeardown): Promise<string> {
  const server = process.env.LATCHKEY_TEST_DATABASE_URL
  if (server === undefined) {
    throw new Error('No Postgres for this test; run it as `npm test -- <file>`.')
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
