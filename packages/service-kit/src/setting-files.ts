import { readFileSync } from 'node:fs'

/** The values read from files, and the mistakes by setting. */
interface SettingFiles {
  readonly values: Record<string, string>
  readonly mistakes: Map<string, string>
}

/**
 * Reads the settings that are given as files: `NAME_FILE` is the path of a file that contains the
 * value of `NAME`, as Docker and Kubernetes mount secrets. A trailing line break is not part of the
 * value.
 */
export function readSettingFiles(names: readonly string[], env: NodeJS.ProcessEnv): SettingFiles {
  const values: Record<string, string> = {}
  const mistakes = new Map<string, string>()
  for (const name of names) {
    const file = env[`${name}_FILE`]
    if (file === undefined) continue
    if (env[name] !== undefined) {
      mistakes.set(name, `${name} and ${name}_FILE are both set; set only one of them`)
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
