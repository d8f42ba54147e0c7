import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import { ClusterError } from '../errors/cluster-error.ts'
import type { KeyFiles } from '../options.ts'
import { nodeEnv, repository } from '../processes/node.ts'

/** Creates the keys and key files that are missing, with the commands that an operator uses. */
export async function ensureKeys(
  { keysFile, serviceKeys }: KeyFiles,
  audiences: readonly string[],
): Promise<void> {
  const text = await readFile(keysFile, 'utf8').catch(() => undefined)
  const files = ['--service-keys', serviceKeys, '--service', ...audiences.map(serviceNameOf)]
  if (text === undefined) return runKeys('generate', '--out', keysFile, ...files)
  // A key file of version 0.1 has neither.
  for (const kind of ['root', 'id-token']) {
    if (!text.includes(`"latchkey:${kind}"`)) await runKeys('add', `--${kind}`, '--keys', keysFile)
  }
  await runKeys('export', '--keys', keysFile, ...files)
}

/** The name of the service with an audience, which may be a URL. */
export const serviceNameOf = (audience: string): string =>
  audience
    .replace(/^\w+:\/\//, '')
    .replaceAll(/[^\w.-]/g, '-')
    .slice(0, 64)

async function runKeys(...args: string[]): Promise<void> {
  const cli = join(repository, 'services/auth/src/cli/main.ts')
  const { failed, stderr, shortMessage } = await execa(process.execPath, [cli, 'keys', ...args], {
    env: nodeEnv(),
    reject: false,
  })
  if (failed) throw new ClusterError(`The keys cannot be prepared: ${stderr || shortMessage}`)
}
