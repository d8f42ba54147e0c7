import { type Keyring, openKeyring, type ServiceKey, type Verifier } from '@latchkey/verify'

/**
 * Options of the plugin.
 * @example
 * ```ts
 * import type { WebOptions } from '@latchkey/web'
 * const urls: Pick<WebOptions, 'issuer' | 'authUrl' | 'baseUrl'> = {
 *   issuer: 'https://sso.example.com',
 *   authUrl: 'http://auth:3000',
 *   baseUrl: 'https://orders.example.com',
 * }
 * ```
 */
export interface WebOptions {
  /** The issuer of the tokens, below which the browser finds the login page. */
  issuer: string
  /**
   * Where this server reaches auth. Default: the issuer. It may begin with `http:` if its host is
   * this machine, a private address or a name of a private network.
   */
  authUrl?: string
  /** The client's ID: the name of the service that the key file was exported for. */
  clientId: string
  /**
   * The public URL of this app. The redirect URI and the app's origin come from it, never from a
   * request. If it has a path, requests arrive without that path, or below the prefix of the plugin
   * in which `web` is registered.
   */
  baseUrl: string
  /** The service's keys: a keyring (`openKeyring`), or the path of its key file. */
  keys: Pick<Keyring, 'current'> | { file: string }
  /** Verifies access tokens. Its audience is that of this app; see `createVerifier`. */
  verifier: Verifier
}

/** The options, checked and completed. */
export interface Settings {
  readonly issuer: string
  readonly clientId: string
  /** The public URL of the app. It ends with a slash. */
  readonly base: URL
  /** The address of the issuer for browsers. It does not end with a slash. */
  readonly issuerUrl: string
  /** The address of auth for this server. It does not end with a slash. */
  readonly authUrl: string
  readonly keys: Pick<Keyring, 'current'>
  readonly verifier: Verifier
  /** Closes what was opened for the plugin. */
  close(): void
}

/**
 * Checks the options, and opens the key file if they name one.
 *
 * @throws TypeError when an option is missing or wrong
 * @throws KeyringError when the key file cannot be used
 */
export function readOptions(options: WebOptions): Settings {
  const { issuer, authUrl = issuer, clientId, baseUrl, keys, verifier } = options
  if (!/^[\w.-]{1,64}$/.test(clientId)) {
    throw new TypeError('clientId must be 1 to 64 letters, digits, dots, hyphens and underscores')
  }
  if (typeof verifier?.check !== 'function') {
    throw new TypeError('verifier must be a verifier of createVerifier')
  }
  const issuerUrl = readUrl('issuer', issuer, isLoopback)
  const base = readUrl('baseUrl', baseUrl, isLoopback)
  const auth = readUrl('authUrl', authUrl, (host) => isLoopback(host) || isPrivate(host))
  const opened = 'file' in keys ? openKeyring(keys.file) : undefined
  const ring = opened ?? (keys as Pick<Keyring, 'current'>)
  const settings: Settings = {
    issuer,
    clientId,
    base: new URL(`${withoutSlash(base)}/`),
    issuerUrl: withoutSlash(issuerUrl),
    authUrl: withoutSlash(auth),
    keys: ring,
    verifier,
    close: () => opened?.close(),
  }
  getServiceKey(settings)
  return settings
}

/**
 * The key with which the app authenticates to auth, and encrypts its cookies.
 *
 * @throws TypeError when the keys are not those of the client
 */
export function getServiceKey({ keys, clientId }: Pick<Settings, 'keys' | 'clientId'>): ServiceKey {
  const { service } = keys.current
  if (service?.service === clientId) return service
  const found = service ? `those of ${service.service}` : 'without a key of a service'
  throw new TypeError(
    `keys must be those of the client ${clientId}; they are ${found}: ` +
      `run latchkey keys export --service ${clientId}`,
  )
}

/** Reads a URL to which a path is added. */
function readUrl(name: string, text: string, mayBeHttp: (host: string) => boolean): URL {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.search || url.hash) {
    throw new TypeError(`${name} must be an http(s) URL without user, query and fragment`)
  }
  if (url.protocol === 'http:' && !mayBeHttp(url.hostname)) {
    throw new TypeError(`${name} must begin with https:, because it carries credentials`)
  }
  return url
}

const withoutSlash = ({ href }: URL): string => href.replace(/\/$/, '')

/** This machine. */
const isLoopback = (host: string): boolean =>
  /^(?:127(?:\.\d+){3}|\[::1\]|(?:.+\.)?localhost)$/.test(host)

/** A private address (RFC 1918, RFC 4193), or a name that public DNS does not have. */
const isPrivate = (host: string): boolean =>
  /^(?:10\.|192\.168\.|172\.(?:1[6-9]|2\d|3[01])\.|\[f[cd])/.test(host) ||
  /^[\w-]+$|\.(?:internal|local|svc)$/.test(host)
