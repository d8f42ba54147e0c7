import { join, resolve } from 'node:path'

export const repository = resolve(import.meta.dirname, '../../../..')

/** Compiled code, shared by all processes: it makes the second start several times faster. */
export const compileCache = join(repository, 'node_modules/.cache/latchkey')

export const nodeEnv = (): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_COMPILE_CACHE: compileCache,
})
