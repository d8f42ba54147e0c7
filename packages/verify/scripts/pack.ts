import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Runs a program in `cwd` and shows its output. Throws when it fails. */
export function run(cwd: string, program: string, ...args: string[]): void {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'inherit', 'inherit'] })
}

/**
 * Packs the package as it is published.
 *
 * @returns a temporary folder, removed when the process ends, and the archive in it
 */
export function packPackage(): { folder: string; archive: string } {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-verify-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  const packageFolder = fileURLToPath(new URL('..', import.meta.url))
  run(packageFolder, 'npm', 'pack', '--pack-destination', folder)
  const [archive] = readdirSync(folder)
  return { folder, archive: join(folder, archive as string) }
}
