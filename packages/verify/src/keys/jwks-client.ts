import { readText } from '../encoding/read-text.ts'
import { callSafely, checkCallbacks } from '../options/call-safely.ts'
import { checkNames } from '../options/check-names.ts'
import { parsePublicKeys } from './key-set.ts'
import { KeyringError, type KeySet } from './keyring.ts'
import type { KeySource } from './keys-option.ts'

/** A hundred keys have about 20 KB. */
const MAX_BYTES = 65_536
const TIMEOUT_MS = 5_000
/** How often the keys are fetched. A new key is added minutes before it signs. */
const INTERVAL_MS = 60_000
/** Tokens with unknown key IDs, which strangers can send, make it fetch this often at most. */
const COOLDOWN_MS = 10_000

/**
 * The keys that a server publishes.
 * @example
 * ```ts
 * import { createVerifier, type JwksOptions } from '@latchkey/verify'
 * const keys: JwksOptions = { jwks: 'https://sso.example.com/auth/.well-known/jwks.json' }
 * const verifier = createVerifier({ keys, issuer, audience: 'orders' })
 * ```
 */
export interface JwksOptions {
  /** Address of the JWK Set: `https`, or `http` on this machine. */
  jwks: string | URL
  /** Called when the keys cannot be fetched; the last ones stay in use. Default: a warning. */
  onError?: (error: Error) => void
  /** Called after new keys have arrived. */
  onReload?: (set: KeySet) => void
}

/** Fetches the public keys of a JWK Set (RFC 7517). When it does is decided by what is built on it. */
export class JwksClient {
  readonly #url: URL
  readonly #options: JwksOptions
  readonly #warn: (message: string) => void
  /** What `current` was read from: the same text again is not a change of keys. */
  #text: string | undefined
  /** The error that was reported last; undefined while the server answers well. */
  #reported: string | undefined
  #polling: AbortController | undefined
  #lastPollMs = Number.NEGATIVE_INFINITY
  /** When to poll next, in milliseconds of the monotonic clock. */
  protected dueMs = 0
  protected isClosed = false
  current: KeySet | undefined

  /** @throws TypeError when the options are wrong */
  constructor(options: JwksOptions, warn: (message: string) => void) {
    checkNames(options, 'option', ['jwks', 'onError', 'onReload'])
    checkCallbacks(options, 'onError', 'onReload')
    this.#url = readUrl(options.jwks)
    this.#options = options
    this.#warn = warn
  }

  /** A token named a key that is not known: it may be new. */
  onUnknownKey(): void {
    this.dueMs = Math.min(this.dueMs, this.#lastPollMs + COOLDOWN_MS)
  }

  /** Stops fetching, also in the middle of an answer. The keys stay in use. */
  close(): void {
    this.isClosed = true
    this.#polling?.abort()
  }

  /**
   * Fetches the keys. Never rejects: without a valid answer, the last ones stay in use. A valid one
   * without a key for ES256 withdraws them.
   */
  protected async poll(): Promise<void> {
    this.#lastPollMs = performance.now()
    // Until the answer: a poll that never ends must not be the last one.
    this.dueMs = this.#lastPollMs + INTERVAL_MS
    try {
      const text = await this.#fetch()
      this.#adopt(text)
      this.#reported = undefined
    } catch (err) {
      if (err instanceof KeyringError && err.code === 'keyring_empty') {
        this.current = undefined
        this.#text = undefined
      }
      const error = new Error(`the keys at ${this.#url} cannot be used: ${describe(err)}`)
      if (error.message === this.#reported || this.isClosed) return
      this.#reported = error.message
      const { onError = ({ message }: Error) => this.#warn(message) } = this.#options
      callSafely('onError of the keys', onError, error, this.#warn)
    }
  }

  #adopt(text: string): void {
    if (text === this.#text) return
    this.current = parsePublicKeys(text)
    this.#text = text
    callSafely('onReload of the keys', this.#options.onReload, this.current, this.#warn)
  }

  async #fetch(): Promise<string> {
    this.#polling = new AbortController()
    const response = await fetch(this.#url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      // Not followed: it could lead to another host. Cloudflare Workers do not know `error`.
      redirect: 'manual',
      signal: AbortSignal.any([this.#polling.signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    if (response.status === 200) return readText(response, MAX_BYTES)
    await response.body?.cancel()
    throw new Error(`the server answered ${response.status}`)
  }
}

/** Whether the `keys` option is the address of public keys. */
export const isJwks = (keys: unknown): keys is JwksOptions =>
  typeof keys === 'object' && keys !== null && 'jwks' in keys

/** The keys of a client, for a verifier. */
export const toKeySource = (jwks: JwksClient): KeySource => ({
  ring: jwks,
  isSole: false,
  onUnknownKey: () => jwks.onUnknownKey(),
})

/**
 * Over plain HTTP, an attacker between the server and a verifier could supply keys of their own and
 * then sign tokens for every user. Subdomains of localhost are no exception: a resolver may send them
 * elsewhere.
 */
function readUrl(address: string | URL): URL {
  const url = URL.parse(String(address))
  const isLocal = /^(?:localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url?.hostname ?? '')
  if (!(url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal))) {
    throw new TypeError('jwks must be an https URL; http is accepted for this machine only')
  }
  // `fetch` refuses it, and it would be printed with every error.
  if (url.username || url.password) throw new TypeError('jwks must not contain a password')
  return url
}

function describe(err: unknown): string {
  const { message, cause } = err as Error
  const { code } = (cause ?? {}) as { code?: string }
  return code ? `${message} (${code})` : message
}
