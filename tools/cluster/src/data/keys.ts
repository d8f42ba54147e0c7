import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { ClusterError } from '../errors/cluster-error.ts'
import type { KeyFiles } from '../options.ts'
import { nodeEnv, repository } from '../processes/node.ts'

/** Creates the key files that are missing, with the command that an operator uses. */
export async function ensureKeys({ keysFile, verifyingKeysFile }: KeyFiles): Promise<void> {
  const cli = join(repository, 'services/auth/src/cli/main.ts')
  const step = existsSync(keysFile) ? ['export', '--keys'] : ['generate', '--out']
  const args = ['keys', ...step, keysFile, '--verifying-keys', verifyingKeysFile]
  const { failed, stderr, shortMessage } = await execa(process.execPath, [cli, ...args], {
    env: nodeEnv(),
    reject: false,
  })
  if (failed) throw new ClusterError(`The keys cannot be prepared: ${stderr || shortMessage}`)
}
