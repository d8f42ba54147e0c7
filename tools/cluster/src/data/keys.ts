import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { compileCache } from '../services/services.ts'

const cli = join(resolve(import.meta.dirname, '../../../..'), 'services/auth/src/cli/main.ts')

/** Makes the keyring where there is none, by the command an operator would use. */
export async function ensureKeys(file: string): Promise<void> {
  const there = await stat(file).then(
    () => true,
    () => false,
  )
  if (there) return
  await promisify(execFile)(process.execPath, [cli, 'keys', 'generate', '--out', file], {
    env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
  })
}
