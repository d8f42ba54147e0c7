import type { FastifyBaseLogger } from 'fastify'
import { Client } from 'pg'
import { readSettingFile } from './setting-files.ts'

/** Where the URL of the database comes from. */
export interface DatabaseUrlConfig {
  LATCHKEY_DATABASE_URL: string
  /** The file that it was read from, if any. */
  LATCHKEY_DATABASE_URL_FILE?: string
}

/**
 * @returns a function that returns the current URL. A file is read again at every call; while it
 *   cannot be used, the last URL stays in use and one warning is logged.
 */
export function createUrlReader(
  { LATCHKEY_DATABASE_URL: url, LATCHKEY_DATABASE_URL_FILE: file }: DatabaseUrlConfig,
  log?: FastifyBaseLogger,
): () => string {
  if (file === undefined) return () => url
  let current = url
  let isFailing = false
  const fail = (reason: string) => {
    const message = 'LATCHKEY_DATABASE_URL_FILE cannot be used; the previous URL stays in use'
    if (!isFailing) log?.warn({ file, reason }, message)
    isFailing = true
  }
  return () => {
    try {
      const text = readSettingFile(file)
      const mistake = findUrlMistake(text)
      if (mistake !== undefined) fail(mistake)
      else {
        current = text
        isFailing = false
      }
    } catch (err) {
      fail((err as NodeJS.ErrnoException).code ?? 'cannot be read')
    }
    return current
  }
}

const howToEncode =
  'is not a valid URL; percent-encode special characters in the user name and password ' +
  '(# is %23, / is %2F, ? is %3F, @ is %40, % is %25)'

/**
 * @returns what is wrong with a PostgreSQL connection URI, as the end of a sentence that begins
 *   with the setting's name; `undefined` for a usable one
 */
export function findUrlMistake(url: string): string | undefined {
  if (!/^postgres(ql)?:\/\//.test(url))
    return 'must be a URL that begins with postgres:// or postgresql://'
  // An unencoded character of a password ends the host name early; then an `@` comes too late.
  if (url.includes('#') || /^[^:]+:\/\/[^/?]*[/?].*@/.test(url)) return howToEncode
  try {
    for (const part of url.split(/[:/@?&=]/)) decodeURIComponent(part)
    new Client({ connectionString: url })
    return undefined
  } catch (err) {
    const { code, path } = err as NodeJS.ErrnoException
    return path === undefined
      ? howToEncode
      : `names the file ${path}, which cannot be read (${code})`
  }
}
