import { readText } from '../encoding/read-text.ts'
import { callSafely, checkCallbacks } from '../options/call-safely.ts'
import { checkNames } from '../options/check-names.ts'
import { parsePublicKeys } from './key-set.ts'
import type { KeySet } from './keyring.ts'
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
}

/** Fetches the public keys of a JWK Set (RFC 7517). When it does is decided by what is built on it. */
export class JwksClient {
  readonly #url: URL
  readonly #onError: ((error: Error) => void) | undefined
  readonly #warn: (message: string) => void
  /** The result of the last poll: the text, or the message of an error. */
  #seen: string | undefined
  #lastPollMs = Number.NEGATIVE_INFINITY
  /** When to poll next, in milliseconds of the monotonic clock. */
  protected dueMs = 0
  current: KeySet | undefined

  /** @throws TypeError when the options are wrong */
  constructor(options: JwksOptions, warn: (message: string) => void) {
    checkNames(options, 'option', ['jwks', 'onError'])
    checkCallbacks(options, 'onError')
    this.#url = readUrl(options.jwks)
    this.#onError = options.onError
    this.#warn = warn
  }

  /** A token named a key that is not known: it may be new. */
  onUnknownKey(): void {
    this.dueMs = Math.min(this.dueMs, this.#lastPollMs + COOLDOWN_MS)
  }

  /** Fetches the keys. Never rejects: without a valid answer, the last ones stay in use. */
  protected async poll(): Promise<void> {
    this.#lastPollMs = performance.now()
    // Until the answer: a poll that never ends must not be the last one.
    this.dueMs = this.#lastPollMs + INTERVAL_MS
    try {
      const text = await this.#fetch()
      if (text === this.#seen) return
      this.current = parsePublicKeys(text)
      this.#seen = text
    } catch (err) {
      const error = new Error(`the keys at ${this.#url} cannot be used: ${describe(err)}`)
      if (error.message === this.#seen) return
      this.#seen = error.message
      const report = this.#onError ?? ((failed: Error) => this.#warn(failed.message))
      callSafely('onError of the keys', report, error, this.#warn)
    }
  }

  async #fetch(): Promise<string> {
    const response = await fetch(this.#url, {
      headers: { accept: 'application/jwk-set+json, application/json' },
      // Not followed: it could lead to another host. Cloudflare Workers do not know `error`.
      redirect: 'manual',
      signal: AbortSignal.timeout(TIMEOUT_MS),
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

/** An attacker between the server and a verifier that uses plain HTTP could supply their own keys. */
function readUrl(address: string | URL): URL {
  const url = URL.parse(String(address))
  const isLocal = /^(?:localhost|.*\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(
    url?.hostname ?? '',
  )
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLocal)) return url
  throw new TypeError('jwks must be an https URL; http is accepted for this machine only')
}

function describe(err: unknown): string {
  const { message, cause } = err as Error
  const { code } = (cause ?? {}) as { code?: string }
  return code ? `${message} (${code})` : message
}
