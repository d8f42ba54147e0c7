import { readFileSync } from 'node:fs'
import { writeKeyFile } from '@latchkey/test-kit'
import t from 'tap'
import { needsEngine, root } from './project.ts'

const timeout = 600_000
t.setTimeout(timeout)

t.test('the auth image serves a login', { ...needsEngine, timeout }, async (t) => {
  // This test stops its own containers. The reaper would be another image to pull.
  process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true'
  const { GenericContainer, Network, Wait } = await import('testcontainers')
  const { PostgreSqlContainer } = await import('@testcontainers/postgresql')

  const network = await new Network().start()
  t.teardown(() => network.stop())
  const postgres = await new PostgreSqlContainer('postgres:18-bookworm')
    .withNetwork(network)
    .withNetworkAliases('postgres')
    .start()
  t.teardown(() => postgres.stop())
  const databaseUrl = `postgres://${postgres.getUsername()}:${postgres.getPassword()}@postgres:5432/${postgres.getDatabase()}`

  const image = await GenericContainer.fromDockerfile(root)
    .withBuildArgs({ SERVICE: 'auth' })
    .build('latchkey/auth:0.1.0', { deleteOnExit: false })
  const configured = image
    .withNetwork(network)
    .withCopyContentToContainer([
      { content: readFileSync(writeKeyFile(t).file), target: '/run/keys.json', mode: 0o444 },
      { content: databaseUrl, target: '/run/database_url', mode: 0o444 },
    ])
    .withEnvironment({
      LATCHKEY_ISSUER: 'https://sso.example.com',
      LATCHKEY_KEYS_FILE: '/run/keys.json',
      LATCHKEY_DATABASE_URL_FILE: '/run/database_url',
      LATCHKEY_AUDIENCES: 'orders billing',
    })
  const auth = await configured
    .withExposedPorts(3000)
    .withWaitStrategy(Wait.forHealthCheck())
    .start()
  t.teardown(() => auth.stop())

  const post = (path: string) =>
    fetch(`http://${auth.getHost()}:${auth.getMappedPort(3000)}/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email: 'ada@example.com', password: 'correct horse battery' }),
    })
  t.equal((await post('register')).status, 201)
  const login = await post('login')
  t.equal(login.status, 200)
  t.match(await login.json(), { token_type: 'Bearer', access_token: String })
  t.equal((await auth.exec(['id', '-un'])).output.trim(), 'node')
  // Process 1 is the service, so that it receives the signals.
  t.match((await auth.exec(['readlink', '/proc/1/exe'])).output, /node\n$/)
})
