import type { Keyring } from '../keys/keyring.ts'
import type { KeySource } from '../keys/keys-option.ts'

/**
 * Options of `createRevocationFeed`.
 * @example
 * ```ts
 * import type { RevocationFeedOptions } from '@latchkey/verify'
 * const onPoll: RevocationFeedOptions['onPoll'] = (err) => console.log(err?.message ?? 'ok')
 * ```
 */
export interface RevocationFeedOptions {
  /** Address of the auth service, without `/v1`: `http://localhost:8080/auth`. */
  url: string | URL
  /**
   * The keys this process verifies with, whose IDs polls report; and the key of this service, which
   * signs polls.
   */
  keys: Pick<Keyring, 'current'>
  /** The `iss` of the tokens. */
  issuer: string
  /** Name of the service that polls: the one that its key file was exported for. */
  service: string
  /** Name of this process in `latchkey keys status`: 1 to 100 characters. */
  instance: string
  /** Time between two polls, plus or minus 10 %. Milliseconds, 100 to 60,000, default 1,000. */
  pollIntervalMs?: number
  /** Time limit of one poll. Milliseconds, 100 to 60,000, default 2,000. */
  timeoutMs?: number
  /** Called after every poll, for metrics and logs; `error` is missing when it succeeded. */
  onPoll?: (error?: Error) => void
}

/**
 * The feed of a verifier that is created with `revocations: { url }`. The other options are those
 * of the verifier: its keys, its issuer, and its audience as the name of the service.
 * @example
 * ```ts
 * import type { FeedSettings } from '@latchkey/verify'
 * const revocations: FeedSettings = { url: 'https://example.com/auth' }
 * ```
 */
export type FeedSettings = Omit<RevocationFeedOptions, 'keys' | 'issuer' | 'service' | 'instance'> &
  Partial<Pick<RevocationFeedOptions, 'service' | 'instance'>>

/**
 * The options of a verifier's feed.
 *
 * @throws TypeError when the verifier's options do not tell who polls
 */
export function completeFeedOptions(
  settings: FeedSettings,
  verifier: { issuer: unknown; audience: unknown },
  { ring, isSole, onUnknownKey }: KeySource,
  instance: string,
): RevocationFeedOptions {
  const { issuer, audience } = verifier
  if (isSole) throw new TypeError('revocations needs keys with IDs: keys: [{ kid, secret }]')
  if (onUnknownKey !== undefined || ring.current === undefined) {
    throw new TypeError('revocations needs the key file of this service: public keys cannot poll')
  }
  if (typeof issuer !== 'string') {
    throw new TypeError('revocations: { url } needs a single issuer; use createRevocationFeed')
  }
  const service = settings.service ?? audience
  if (typeof service !== 'string') {
    throw new TypeError('revocations needs the name of this service: revocations: { url, service }')
  }
  return { instance, ...settings, keys: ring as Pick<Keyring, 'current'>, issuer, service }
}
