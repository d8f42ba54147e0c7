import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createDatabase } from '@latchkey/test-kit'
import { type KubeObject, podsOf } from './objects.ts'
import { environmentOf } from './policies/settings.ts'

const root = join(import.meta.dirname, '../..')
const mounted = '/run/secrets/latchkey'

type Testing = Parameters<typeof createDatabase>[0]

/** A service as its pods would run it: with their environment, and files where Secrets are mounted. */
export async function preparePod(
  t: Testing,
  objects: readonly KubeObject[],
  service: string,
  keys: string,
) {
  const folder = mkdtempSync(join(tmpdir(), `latchkey-${service}-`))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const place = (file: string, content: string) => {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), content, { mode: 0o440 })
  }
  place('keys/keys.json', keys)
  place('database/url', await createDatabase(t))
  const environment = (kind: string) => {
    const pods = podsOf(objects).find(
      (one) => one.kind === kind && one.labels['app.kubernetes.io/name'] === service,
    )
    if (!pods) throw new Error(`${service} has no ${kind}`)
    const entries = Object.entries(environmentOf(pods, objects))
    return Object.fromEntries(
      entries.map(([name, value]) => [name, value.replace(mounted, folder)]),
    )
  }
  const program = join(root, 'services', service, 'src/main.ts')

  return {
    /** Runs the Job; its exit code and what it said. */
    migrate() {
      const env = { PATH: process.env.PATH, ...environment('Job') }
      const { status, stdout, stderr } = spawnSync(process.execPath, [program, 'migrate'], {
        env,
        encoding: 'utf8',
      })
      return { status, output: stdout + stderr }
    },
    /** Starts a pod of the Deployment; `others` says where its neighbours are on this machine. */
    async start(others: NodeJS.ProcessEnv = {}) {
      const here = { LATCHKEY_HOST: '127.0.0.1', LATCHKEY_PORT: '0', LATCHKEY_DRAIN_SECONDS: '0' }
      const env = { PATH: process.env.PATH, ...environment('Deployment'), ...here, ...others }
      const child = spawn(process.execPath, [program], { env, stdio: ['ignore', 'pipe', 'pipe'] })
      const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
      t.teardown(() => {
        child.kill('SIGKILL')
        return ended
      })
      let output = ''
      const url = await new Promise<string>((resolve, reject) => {
        const read = (chunk: Buffer) => {
          output += chunk
          const [, address] = /Server listening at (http:[^"]+)"/.exec(output) ?? []
          if (address) resolve(address)
        }
        child.stdout.on('data', read)
        child.stderr.on('data', read)
        child.once('close', () => reject(new Error(`${service} ended: ${output}`)))
      })
      return {
        url,
        /** Stops it as Kubernetes does; its exit code. */
        stop() {
          child.kill('SIGTERM')
          return ended
        },
      }
    },
  }
}
