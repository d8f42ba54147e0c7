import { join, resolve } from 'node:path'

export const repository = resolve(import.meta.dirname, '../../../..')

/** The environment of a Node process. The compile cache makes the second start several times faster. */
export const nodeEnv = (): NodeJS.ProcessEnv => ({
  ...process.env,
  NODE_COMPILE_CACHE: join(repository, 'node_modules/.cache/latchkey'),
})
