import { spawnSync } from 'node:child_process'
import { cpSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)
const tapPackage = require.resolve('tap/package.json')

/** The path of the tap command. */
export const tapCommand: string = join(dirname(tapPackage), require(tapPackage).bin.tap)

/**
 * Builds tap with the plugins of package.json, once after each installation. As installed, tap
 * loads its TypeScript plugin, which does not work with TypeScript 7.
 */
export function buildTap(root: string): void {
  const testPackage = createRequire(tapPackage).resolve('@tapjs/test/package.json')
  const built = join(dirname(testPackage), 'test-built')
  const main = readFileSync(join(built, 'dist/esm/index.js'), 'utf8')
  if (!main.includes('@tapjs/typescript')) return
  // The build writes in place, and pnpm hard-links these files to a store shared by projects.
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
