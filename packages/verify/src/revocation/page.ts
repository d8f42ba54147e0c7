import { readText } from '../encoding/read-text.ts'

/** Largest response accepted: a full page of 10,000 entries is about 0.6 MB. */
export const MAX_PAGE_BYTES = 8 * 2 ** 20

/** A page of the feed as the auth service sends it. Times are seconds since 1970. */
export interface RevocationPage {
  /**
   * The `after` of the next poll: the number and the tag of the last revocation. Servers before
   * version 0.2 send the number alone.
   */
  readonly cursor: string | number
  /** Whether the next page exists already. */
  readonly more: boolean
  /** The server's time. Servers before version 0.2 do not send it: then nothing is forgotten. */
  readonly now?: number
  /** `sid`, and when to forget the entry. */
  readonly sessions: readonly (readonly [sid: string, expires: number])[]
  /** `sub`, the `iat` from which its tokens are valid, and when to forget the entry. */
  readonly subjects: readonly (readonly [sub: string, notBefore: number, expires: number])[]
}

/**
 * Reads a page from the body of a response. One malformed entry refuses the whole page: half a page
 * would lose revocations.
 *
 * @throws Error when the body is too large or not a page
 */
export async function readRevocationPage(response: Response): Promise<RevocationPage> {
  const page = parse(await readText(response, MAX_PAGE_BYTES))
  const isPage =
    typeof page === 'object' &&
    page !== null &&
    isCursor(page.cursor) &&
    typeof page.more === 'boolean' &&
    (page.now === undefined || Number.isFinite(page.now)) &&
    isTuples(page.sessions, 2) &&
    isTuples(page.subjects, 3)
  if (!isPage) throw new Error('the revocation feed returned an invalid page')
  return page as RevocationPage
}

/** A cursor is sent back as it is, in a URL and a header. */
const isCursor = (value: unknown): boolean =>
  typeof value === 'string' ? /^\d{1,18}\.[0-9a-f]{1,16}$/.test(value) : Number.isSafeInteger(value)

function parse(text: string): Partial<RevocationPage> | null {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Whether the value is an array of [string, number, …]. */
function isTuples(value: unknown, length: number): boolean {
  if (!Array.isArray(value)) return false
  for (const tuple of value) {
    if (!Array.isArray(tuple) || tuple.length !== length) return false
    if (typeof tuple[0] !== 'string') return false
    for (let i = 1; i < length; i++) if (!Number.isFinite(tuple[i])) return false
  }
  return true
}
