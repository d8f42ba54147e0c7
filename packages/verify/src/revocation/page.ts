import type { RevocationPage } from './set.ts'

/**
 * Reads an answer of the feed. It is refused whole when anything in it is not as it should be: half of
 * a page taken would be revocations lost.
 *
 * @throws Error
 */
export function parseRevocationPage(text: string): RevocationPage {
  let page: Partial<RevocationPage> | null
  try {
    page = JSON.parse(text)
  } catch {
    throw malformed()
  }
  const isPage =
    typeof page === 'object' &&
    page !== null &&
    Number.isSafeInteger(page.cursor) &&
    typeof page.more === 'boolean' &&
    isTuples(page.sessions, 2) &&
    isTuples(page.subjects, 3)
  if (!isPage) throw malformed()
  return page as RevocationPage
}

/** Whether the value is an array of [string, number, …]. */
function isTuples(value: unknown, length: number): boolean {
  if (!Array.isArray(value)) return false
  for (const tuple of value) {
    if (!Array.isArray(tuple) || tuple.length !== length || typeof tuple[0] !== 'string')
      return false
    for (let i = 1; i < length; i++) if (!Number.isFinite(tuple[i])) return false
  }
  return true
}

const malformed = () => new Error('the revocation feed answered with something else than a page')
