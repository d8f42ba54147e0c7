import { cpSync, mkdirSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '../../..')

/**
 * Copies of a clone what `npm pack` needs of it, with the dependencies as links. Packing rewrites
 * files, which the tests beside this one read.
 *
 * @param clone the folder to create
 */
export function createClone(clone: string): void {
  const shared = ['install.mjs', 'node_modules', 'pnpm-lock.yaml', 'tsconfig.base.json']
  const own = 'packages/verify'
  const isSource = (path: string) => !/[\\/](node_modules|dist|\.tap|test)([\\/]|$)/.test(path)
  mkdirSync(clone, { recursive: true })
  for (const name of shared) symlinkSync(join(root, name), join(clone, name))
  cpSync(join(root, own), join(clone, own), {
    recursive: true,
    filter: (path) => isSource(path.slice(root.length)),
  })
  symlinkSync(join(root, own, 'node_modules'), join(clone, own, 'node_modules'))
}
