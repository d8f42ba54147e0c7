import { Client } from 'pg'

/** A Postgres server for one test run. */
export interface Postgres {
  /** Where it comes from; printed at the start of the run. */
  readonly description: string
  /** Connection URI of a superuser. */
  readonly url: string
  stop(): Promise<void>
}

const image = 'postgres:18-bookworm'
const maxConnections = 200
// Losing test data is harmless, so nothing waits for the disk.
const settings = ['fsync=off', 'full_page_writes=off', `max_connections=${maxConnections}`]

/**
 * Finds a Postgres for a test run: the server of `LATCHKEY_TEST_DATABASE_URL`; otherwise a
 * container, if a Docker engine can start the image; otherwise an embedded server in a temporary
 * folder.
 *
 * @throws Error with one sentence if none of them works, or if the given server does not answer
 */
export async function startPostgres(): Promise<Postgres> {
  const given = process.env.LATCHKEY_TEST_DATABASE_URL
  if (given) return connectGiven(given)
  const failures: string[] = []
  const sources = { container: startContainer, server: startEmbedded }
  for (const [kind, start] of Object.entries(sources)) {
    try {
      const postgres = await start()
      return { ...postgres, description: [postgres.description, ...failures].join('; ') }
    } catch (err) {
      failures.push(`no ${kind}: ${messageOf(err)}`)
    }
  }
  throw new Error(
    `No Postgres for the tests. Set LATCHKEY_TEST_DATABASE_URL, or start a Docker engine, or fix the embedded server (${failures.join('; ')}).`,
  )
}

async function connectGiven(url: string): Promise<Postgres> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
  } catch (err) {
    throw new Error(`The server of LATCHKEY_TEST_DATABASE_URL does not answer: ${messageOf(err)}.`)
  }
  await client.end()
  return { description: 'from LATCHKEY_TEST_DATABASE_URL', url, stop: async () => {} }
}

async function startContainer(): Promise<Postgres> {
  // This run stops its container itself; the reaper would require another image.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true'
  const { getContainerRuntimeClient } = await import('testcontainers')
  await getContainerRuntimeClient()
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const container = await new PostgreSqlContainer(image)
    .withCommand(['postgres', ...settings.flatMap((setting) => ['-c', setting])])
    // Without a shell, unlike the default: on a busy machine a check that times out would leave an
    // orphan, and Postgres as process 1 treats the end of an unknown child as a crash.
    .withHealthCheck({
      test: ['CMD', 'pg_isready', '--quiet', '--host', '127.0.0.1', '--username', 'test'],
      interval: 1_000,
      timeout: 5_000,
      retries: 60,
    })
    .start()
  return {
    description: `container ${image}`,
    url: container.getConnectionUri(),
    stop: async () => void (await container.stop()),
  }
}

async function startEmbedded(): Promise<Postgres> {
  const { startEmbeddedPostgres } = await import('@latchkey/embedded-postgres')
  return { description: 'embedded', ...(await startEmbeddedPostgres(maxConnections)) }
}

function messageOf(err: unknown): string {
  const message = err instanceof Error ? err.message || String(err) : String(err)
  return message.trim().replaceAll(/\s+/g, ' ').replace(/\.$/, '')
}
