/** A cookie has room for this, and a request for several such cookies. */
const maxLength = 1_000

/**
 * Where a login may lead: a path of this app with a query, never another site (RFC 9700 section
 * 4.11). Everything else leads to the app's first page.
 *
 * @param text a path below `base`, as a user or a link has given it
 * @param base the app's public URL, which ends with a slash
 * @returns an absolute URL below `base`
 */
export function resolveReturnTo(text: unknown, base: URL): URL {
  // Browsers read `\` as `/`, and skip tabs and line breaks.
  if (typeof text !== 'string' || !/^\/(?!\/)[^\\\p{Cc}]*$/u.test(text)) return base
  const url = URL.parse(`.${text}`, base.href)
  const isBelow = url?.origin === base.origin && url.pathname.startsWith(base.pathname)
  const isShort = url !== null && url.href.length - base.href.length <= maxLength
  return isBelow && isShort ? url : base
}
