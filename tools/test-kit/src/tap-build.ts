import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)
const tapPackage = require.resolve('tap/package.json')

/** The tap command, to be run by this process's own Node. */
export const tapCommand: string = join(dirname(tapPackage), require(tapPackage).bin.tap)

/**
 * Builds tap for the plugins that package.json names, once after an install: as installed it loads
 * its TypeScript plugin, which does not work with TypeScript 7.
 */
export function buildTap(root: string): void {
  const testPackage = createRequire(tapPackage).resolve('@tapjs/test/package.json')
  const built = join(dirname(testPackage), 'test-built')
  const main = readFileSync(join(built, 'dist/esm/index.js'), 'utf8')
  if (!main.includes('@tapjs/typescript')) return
  // pnpm links these files from a store that other projects share, and the build writes in place.
  const copy = `${built}.${process.pid}`
  cpSync(built, copy, { recursive: true })
  rmSync(built, { recursive: true })
  renameSync(copy, built)
  const { status, stderr } = spawnSync(process.execPath, [tapCommand, 'build'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) throw new Error(`tap could not be built for this workspace: ${stderr.trim()}`)
}
