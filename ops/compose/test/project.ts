import { randomBytes } from 'node:crypto'
import { globSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join, resolve } from 'node:path'
import { execa, execaSync } from 'execa'
import getPort from 'get-port'
import type { Test } from 'tap'
import { parse } from 'yaml'

export const root = resolve(import.meta.dirname, '../../..')
export const services = globSync('services/*/package.json', { cwd: root }).map((file) =>
  basename(dirname(file)),
)

const works = (command: string, ...args: string[]) =>
  execaSync(command, args, { reject: false, timeout: 30_000 }).exitCode === 0

const hasEngine = works('docker', 'version')
const hasPlugin = works('docker', 'compose', 'version')
// docker-compose 1.29 reads `deploy.replicas` in its compatibility mode alone.
const compose = hasPlugin ? ['docker', 'compose'] : ['docker-compose', '--compatibility']
const lacking =
  (!hasEngine && 'no Docker engine') ||
  (!hasPlugin && !works('docker-compose', 'version') && 'no docker compose')

/** Options of a test that needs the engine: it is skipped without one, and fails in CI. */
export const needsEngine = { skip: process.env.CI === 'true' ? false : lacking }

export const docker = async (...args: string[]) => (await execa('docker', args)).stdout

/** Creates a Compose project with its own name, port and secrets. Teardown removes it. */
export async function createProject(t: Test) {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-compose-'))
  const name = `latchkey-test-${randomBytes(4).toString('hex')}`
  const port = await getPort()
  const secrets = join(folder, 'secrets')
  const env = join(folder, '.env')
  const init = () =>
    execa(process.execPath, [
      join(root, 'ops/compose/init.ts'),
      ...['--secrets', secrets, '--env', env, '--port', String(port)],
    ])
  await init()

  const [command = '', ...options] = [
    ...[...compose, '--env-file', env, '--project-name', name],
    ...['--file', join(root, 'docker-compose.yml')],
  ]
  const list = async (kind: 'ps' | 'network' | 'volume', ...args: string[]) => {
    const label = `label=com.docker.compose.project=${name}`
    const listing = kind === 'ps' ? ['ps', '--all', '--no-trunc'] : [kind, 'ls']
    const all = [...listing, '--quiet', '--filter', label, ...args]
    return (await execa('docker', all, { lines: true })).stdout
  }
  const project = {
    port,
    init,
    env: () => readFile(env, 'utf8'),
    /** The whole configuration with a profile, in which variables have their values. */
    config: async (profile: string, variables: Record<string, string> = {}) => {
      const args = [...options, '--profile', profile, 'config']
      return parse((await execa(command, args, { env: variables })).stdout)
    },
    secret: async (file: string) => (await readFile(join(secrets, file), 'utf8')).trim(),
    up: (...args: string[]) =>
      execa(command, [...options, 'up', '--detach', ...args], {
        env: { LATCHKEY_SERVED_BY_HEADER: 'true' },
      }),
    down: () => execa(command, [...options, 'down', '--volumes', '--timeout', '20']),
    /** The ids of the containers of a service, or of all, including stopped ones. */
    containers: (service?: string) =>
      list('ps', ...(service ? ['--filter', `label=com.docker.compose.service=${service}`] : [])),
    networks: () => list('network'),
    volumes: () => list('volume'),
  }
  t.teardown(async () => {
    if ((await project.containers()).length > 0) await project.down()
    await rm(folder, { recursive: true, force: true })
  })
  return project
}

export type Project = Awaited<ReturnType<typeof createProject>>

interface Inspected {
  readonly Name: string
  readonly Config: { readonly Env: string[]; readonly User: string }
  readonly State: {
    readonly Running: boolean
    readonly ExitCode: number
    readonly Health?: { readonly Status: string }
  }
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean
    readonly CapDrop: string[]
    readonly SecurityOpt: string[]
    readonly Memory: number
    readonly PidsLimit: number
  }
  readonly Mounts: readonly { readonly Type: string; readonly Name: string }[]
  readonly NetworkSettings: { readonly Ports: Record<string, null | { readonly HostIp: string }[]> }
}

export const inspect = async (ids: string[]): Promise<Inspected[]> =>
  JSON.parse(await docker('inspect', ...ids))

/** Describes the containers that are not healthy, or have failed; empty if there are none. */
export async function findUnhealthy(project: Project): Promise<string> {
  const containers = await inspect(await project.containers())
  const states = containers.map(({ Name, State: { Running, ExitCode, Health } }) => {
    const isFine = Running ? Health?.Status === 'healthy' : ExitCode === 0
    return isFine ? [] : [`${Name} is ${Running ? Health?.Status : `stopped with ${ExitCode}`}`]
  })
  return states.flat().join(', ')
}
