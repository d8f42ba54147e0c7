import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../../..')

/** A block of code in a page. */
export interface Block {
  readonly language: string
  readonly code: string
  /** The heading of the second level above it; empty before the first. */
  readonly section: string
  /** The nearest heading above it, of any level. */
  readonly heading: string
}

/**
 * The blocks of code of a page, in order.
 *
 * @param page its path in the repository
 */
export function readBlocks(page: string): Block[] {
  const text = readFileSync(join(root, page), 'utf8')
  const blocks: Block[] = []
  let section = ''
  let heading = ''
  const parts = /^(#+) (.+)$|^( *)```(\w*)\n([\s\S]*?)^\3```$/gm
  for (const [, level, title = '', , language = '', code = ''] of text.matchAll(parts)) {
    if (level === undefined) blocks.push({ language, code, section, heading })
    else heading = title
    if (level === '##') section = title
  }
  return blocks
}

/**
 * The `sh` commands of a page, each block on its own.
 *
 * @param section only those below this heading of the second level
 */
export function readCommands(page: string, section?: string): string[] {
  return readBlocks(page)
    .filter((block) => block.language === 'sh' && (section ?? block.section) === block.section)
    .map(({ code }) => code)
}
