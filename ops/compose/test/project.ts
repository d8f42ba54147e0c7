import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { Test } from 'tap'
import { docker, lines, run } from './command.ts'
import type { Engine } from './engine.ts'

const root = resolve(import.meta.dirname, '../../..')

/** One Compose project of its own name, port and secrets; taken down at the test's teardown. */
export async function createProject(t: Test, engine: Engine) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-compose-'))
  const name = `latchkey-test-${randomBytes(4).toString('hex')}`
  const port = await findFreePort()
  const secrets = join(folder, 'secrets')
  const env = join(folder, '.env')
  const init = join(root, 'ops/compose/init.ts')
  const flags = ['--secrets', secrets, '--env', env, '--port', String(port)]
  await run([process.execPath, init, ...flags])

  const file = join(root, 'docker-compose.yml')
  const base = [
    ...engine.compose,
    '--env-file',
    env,
    '--project-name',
    name,
    '--file',
    file,
  ] as const
  const compose = (timeoutMs: number, ...args: string[]) => run([...base, ...args], { timeoutMs })
  const labelled = ['--filter', `label=com.docker.compose.project=${name}`]

  const project = {
    port,
    initAgain: () => run([process.execPath, init, ...flags]),
    secret: async (file: string) => (await readFile(join(secrets, file), 'utf8')).trim(),
    up: (...args: string[]) => compose(600_000, 'up', '--detach', ...args),
    down: () => compose(120_000, 'down', '--volumes', '--timeout', '20'),
    /** Ids of the containers of a service, or of all, ended ones too. */
    containers: async (service?: string) =>
      lines(
        await docker(
          ...['ps', '--all', '--quiet', '--no-trunc', ...labelled],
          ...(service ? ['--filter', `label=com.docker.compose.service=${service}`] : []),
        ),
      ),
    networks: async () => lines(await docker('network', 'ls', '--quiet', ...labelled)),
    volumes: async () => lines(await docker('volume', 'ls', '--quiet', ...labelled)),
  }
  t.teardown(async () => {
    if ((await project.containers()).length > 0) await project.down()
    await rm(folder, { recursive: true, force: true })
  })
  return project
}

export type Project = Awaited<ReturnType<typeof createProject>>

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
