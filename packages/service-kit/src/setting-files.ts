import { readFileSync } from 'node:fs'

/** What reading settings from files came to: the values, and by setting what is wrong. */
interface SettingFiles {
  readonly values: Record<string, string>
  readonly mistakes: Map<string, string>
}

/**
 * Reads the settings that are given as files: `NAME_FILE` is the path of a file that holds the value
 * of `NAME`, as Docker and Kubernetes mount secrets. A line break at its end is not part of the value.
 */
export function readSettingFiles(names: readonly string[], env: NodeJS.ProcessEnv): SettingFiles {
  const values: Record<string, string> = {}
  const mistakes = new Map<string, string>()
  for (const name of names) {
    const file = env[`${name}_FILE`]
    if (file === undefined) continue
    if (env[name] !== undefined) {
      mistakes.set(name, `${name} and ${name}_FILE are both set; give one of them`)
      continue
    }
    try {
      values[name] = readFileSync(file, 'utf8').replace(/\r?\n$/, '')
    } catch (err) {
      const { code } = err as NodeJS.ErrnoException
      mistakes.set(name, `${name}_FILE: ${file} cannot be read (${code})`)
    }
  }
  return { values, mistakes }
}
