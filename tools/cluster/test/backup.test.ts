import { readCommands } from '@latchkey/test-kit/guide'
import { execa } from 'execa'
import t from 'tap'
import { startCluster } from '../src/cluster.ts'
import { makeFolder } from './helpers.ts'

const page = 'docs/guides/backup-and-restore.md'
const cli = new URL('../../../services/auth/src/cli/main.ts', import.meta.url).pathname
const eve = { email: 'eve@example.com', password: 'correct horse battery' }

t.test('a restored data folder has the accounts of the backup, and no session', async (t) => {
  const cwd = await makeFolder(t)
  const [backUp = '', restore = '', endSessions = ''] = readCommands(page, '`npm start`')
  const npm = `npm() { [ "$1" != run ] || node '${cli}' "\${@:5}"; }`
  const run = (script: string) => execa('bash', ['-euc', `${npm}\n${script}`], { cwd })
  const start = () =>
    startCluster({
      port: 0,
      instances: 1,
      ephemeral: false,
      dataFolder: `${cwd}/.latchkey`,
      env: { LATCHKEY_ARGON2_MEMORY_KIB: '7168', LATCHKEY_ARGON2_PASSES: '1' },
    })
  const post = (url: string, path: string, body: object) =>
    fetch(`${url}/auth/v1/${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })

  const first = await start()
  const { demoUser } = first
  const login = await post(first.url, 'login', demoUser)
  const { refresh_token } = (await login.json()) as { refresh_token: string }
  await first.stop()
  await run(backUp)
  const second = await start()
  t.equal((await post(second.url, 'register', eve)).status, 201)
  await second.stop()
  await run(restore)
  const third = await start()
  t.teardown(() => third.stop())
  await run(endSessions.replace('<address>', new URL(third.databaseUrls.auth).host))
  t.equal((await post(third.url, 'refresh', { refresh_token })).status, 401)
  t.equal((await post(third.url, 'login', demoUser)).status, 200)
  t.equal((await post(third.url, 'login', eve)).status, 401)
})
