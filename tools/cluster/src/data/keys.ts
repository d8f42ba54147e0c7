import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { nodeEnv, repository } from '../processes/node.ts'

/** Creates the key file if it is missing, with the command that an operator uses. */
export async function ensureKeys(file: string): Promise<void> {
  if (existsSync(file)) return
  const cli = join(repository, 'services/auth/src/cli/main.ts')
  await execa(process.execPath, [cli, 'keys', 'generate', '--out', file], { env: nodeEnv() })
}
