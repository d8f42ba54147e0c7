import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/**
 * The `sh` commands of a page, each block on its own.
 *
 * @param page its path in the repository
 * @param heading only those below this heading of the second level
 */
export function readCommands(page: string, heading?: string): string[] {
  const text = readFileSync(join(root, page), 'utf8')
  const section = heading ? text.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] : text
  return [...(section ?? '').matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, code = '']) => code)
}
