import { readFile } from 'node:fs/promises'

export const src = new URL('../src/', import.meta.url)
export const comment = /\/\*[\s\S]*?\*\/|\/\/.*$/gm

/** Every module that `file` imports at run time, directly or not: paths in `src`, or bare names. */
export async function collectImports(
  file: string,
  found = new Set<string>(),
): Promise<Set<string>> {
  const source = (await readFile(new URL(file, src), 'utf8')).replace(comment, '')
  const statement = /^(?:import|export) (?!type )[^;]*?from '([^']+)'|^import '([^']+)'/gms
  for (const [, from, bare] of source.matchAll(statement)) {
    const specifier = (from ?? bare) as string
    const isOwn = specifier.startsWith('.')
    const path = isOwn
      ? new URL(specifier, new URL(file, src)).href.replace(src.href, '')
      : specifier
    if (found.has(path)) continue
    found.add(path)
    if (isOwn) await collectImports(path, found)
  }
  return found
}
