import { join } from 'node:path'
import { execa } from 'execa'
import { nodeEnv, repository } from '../processes/node.ts'
import type { SharedSettings } from './service-program.ts'

/**
 * Runs a command of `latchkey` that asks auth, as an operator does.
 *
 * @returns what went wrong
 */
export async function runAsOperator(
  { edgeUrl, keysFile }: SharedSettings,
  args: readonly string[],
  input = '',
): Promise<string | undefined> {
  const cli = join(repository, 'services/auth/src/cli/main.ts')
  const auth = `${edgeUrl}/auth`
  const { failed, stderr, shortMessage } = await execa(
    process.execPath,
    [cli, ...args, '--auth', auth, '--issuer', auth, '--keys', keysFile],
    { env: nodeEnv(), input, reject: false },
  )
  return failed ? stderr || shortMessage : undefined
}
