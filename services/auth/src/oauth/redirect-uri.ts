/** A redirect URI as a client registers it, to a loopback address of the user's machine. */
const loopback = /^http:\/\/(?:127\.0\.0\.1|\[::1\])(?::\d+)?(?=[/?]|$)/

/**
 * Whether a client has registered a redirect URI. They are compared as text (RFC 9700 section 4.1.3).
 * Only the port of a loopback address may differ: a native app listens on a free one (RFC 8252
 * section 7.3).
 */
export function isRegisteredUri(registered: readonly string[], uri: string): boolean {
  if (registered.includes(uri)) return true
  const [prefix] = loopback.exec(uri) ?? []
  if (prefix === undefined || !isUsablePort(uri)) return false
  const withoutPort = prefix.replace(/:\d+$/, '') + uri.slice(prefix.length)
  return registered.includes(withoutPort)
}

const isUsablePort = (uri: string): boolean => URL.canParse(uri) && new URL(uri).port !== '0'

/** Adds parameters to a redirect URI, which may have a query string already (RFC 6749 section 3.1.2). */
export const addParameters = (uri: string, parameters: Record<string, string>): string =>
  `${uri}${uri.includes('?') ? '&' : '?'}${new URLSearchParams(parameters)}`

/** Schemes that a browser would run, or open as a file. */
const forbiddenSchemes = [
  'javascript:',
  'data:',
  'vbscript:',
  'blob:',
  'file:',
  'about:',
  'ws:',
  'wss:',
]

/**
 * @returns why a text cannot be a redirect URI, as the end of a sentence: `must be …`
 */
export function findRedirectUriMistake(text: string, kind: 'confidential' | 'public') {
  const url = URL.parse(text)
  if (!url || !/^[!-~]{1,500}$/.test(text) || /["<>\\^`{|}]/.test(text)) {
    return 'must be an absolute URL of at most 500 printable ASCII characters'
  }
  // Other parsers of URLs read `https:host` otherwise.
  if (/^https?:(?!\/\/[^/])/i.test(text)) return 'must have a host after http:// or https://'
  if (text.includes('#')) return 'must not contain a fragment'
  if (text.includes('*')) return 'must not contain a wildcard: every redirect URI is listed'
  if (url.username || url.password) return 'must not contain a user name or a password'
  if (forbiddenSchemes.includes(url.protocol)) return `must not begin with ${url.protocol}`
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname)) {
    return 'must begin with https:, because the code in it would be readable on its way'
  }
  if (/^https?:$/.test(url.protocol)) return undefined
  if (kind === 'confidential') return 'must begin with https:, or with http: and a loopback host'
  // RFC 8252 section 7.1: the reverse of a domain, so that two apps do not choose the same.
  return url.protocol.includes('.') ? undefined : 'must have a scheme such as com.example.app:'
}

/** Hosts that requests reach without leaving the machine. */
const isLoopbackHost = (host: string): boolean =>
  ['127.0.0.1', '[::1]', 'localhost'].includes(host) || host.endsWith('.localhost')
