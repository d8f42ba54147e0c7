import { readFileSync } from 'node:fs'

/** The text of every setting that is set, and the mistakes by setting. */
interface SettingTexts {
  readonly texts: Record<string, string>
  /** The files that settings were read from, as `NAME_FILE`. */
  readonly files: Record<string, string>
  readonly mistakes: Map<string, string>
}

/** Reads a value from a file. A byte order mark and a trailing line break do not belong to it. */
export function readSettingFile(file: string): string {
  return readFileSync(file, 'utf8')
    .replace(/^\uFEFF/, '')
    .replace(/\r?\n$/, '')
}

/**
 * Reads the text of settings. An empty variable counts as unset. `NAME_FILE` is the path of a file
 * that contains the value of `NAME`, as Docker and Kubernetes mount secrets.
 */
export function readSettingTexts(names: readonly string[], env: NodeJS.ProcessEnv): SettingTexts {
  const texts: Record<string, string> = {}
  const files: Record<string, string> = {}
  const mistakes = new Map<string, string>()
  for (const name of names) {
    const text = env[name]
    const file = env[`${name}_FILE`]
    if (text) texts[name] = text
    if (file && text) {
      mistakes.set(name, `${name} and ${name}_FILE are both set; set only one of them`)
    } else if (file) {
      try {
        texts[name] = readSettingFile(file)
        files[`${name}_FILE`] = file
      } catch (err) {
        const { code } = err as NodeJS.ErrnoException
        mistakes.set(name, `${name}_FILE: ${file} cannot be read (${code})`)
      }
    }
    const mistake = findTextMistake(texts[name] ?? '')
    if (mistake && !mistakes.has(name)) mistakes.set(name, `${name} ${mistake}`)
  }
  return { texts, files, mistakes }
}

/** Mistakes that no setting accepts. Some tools keep the quotes of an env file. */
function findTextMistake(text: string): string | undefined {
  if (/^(["']).*\1$/s.test(text)) return 'is in quotes; remove them'
  if (/^\s|\s$/.test(text)) return 'begins or ends with white space; remove it'
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  return /[\0-\x1f\x7f]/.test(text)
    ? 'contains a line break or another control character'
    : undefined
}
