import {
  createRevocationFeed,
  createVerifier,
  KeyringError,
  type KeySet,
  type RevocationFeed,
  type RevocationFeedOptions,
  TokenError,
  type Verifier,
} from '@latchkey/verify'
import { latchkey } from '@latchkey/verify/fastify'
import { web } from '@latchkey/web'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, Gauge, type Registry } from 'prom-client'
import { ConfigError } from './config.ts'
import type { VerifierConfig } from './settings.ts'

interface AuthenticationOptions {
  /** The service's name: the audience of its tokens, and its name when it polls the feed. */
  service: string
  config: VerifierConfig
}

/**
 * Verifies tokens locally: `@latchkey/verify/fastify` over `app.keyring`, and the revocation feed,
 * which is polled in the background. The server listens when it has caught up with the feed, or
 * when that does not answer for 8 s. From then on every route requires a token unless it declares `config: { public: true }`.
 */
export const authentication = fp<AuthenticationOptions>(
  async (app, { service, config }) => {
    const { LATCHKEY_ISSUER: issuer, LATCHKEY_REVOCATIONS_ON_STALE: onStale } = config
    const maxStaleSeconds = config.LATCHKEY_REVOCATIONS_MAX_STALE_SECONDS
    warnOfAuthKeys(app, service)
    const revocations = followRevocations(app, service, config)
    app.readiness.add(
      'revocations',
      async () => {
        if (revocations.ageSeconds > maxStaleSeconds) throw new Error('stale')
      },
      // With `allow`, `/readyz` reports the failed check and still answers 200.
      { required: onStale === 'deny' },
    )
    const verifier = createVerifier({
      keys: app.keyring,
      issuer,
      audience: service,
      revocations,
      onStale,
      maxStaleSeconds,
    })
    const counted = countVerifications(verifier, app.metrics)
    const { LATCHKEY_BASE_URL: baseUrl, LATCHKEY_AUTH_URL: authUrl } = config
    if (baseUrl === undefined) await app.register(latchkey, { verifier: counted })
    else {
      const client = { clientId: service, keys: app.keyring, verifier: counted }
      await app.register(web, { issuer, authUrl, baseUrl, ...client })
    }
  },
  { name: 'authentication', fastify: '5.x', dependencies: ['keyring'] },
)

/** Polls the feed until the app closes, and counts and logs the results. */
function followRevocations(
  app: FastifyInstance,
  service: string,
  config: VerifierConfig,
): RevocationFeed {
  const polls = new Counter({
    name: 'latchkey_revocation_polls_total',
    help: 'Polls of the revocation feed, by result: ok or failed',
    labelNames: ['result'] as const,
    registers: [app.metrics],
  })
  let isFailing = false
  const revocations = createFeedOrExplain({
    url: config.LATCHKEY_AUTH_URL,
    keys: app.keyring,
    issuer: config.LATCHKEY_ISSUER,
    service,
    instance: config.LATCHKEY_INSTANCE,
    onPoll: (err) => {
      polls.inc({ result: err ? 'failed' : 'ok' })
      // Logged on a change only: an hour without the feed must not be 3,600 lines.
      if (err && !isFailing) app.log.warn({ err }, 'revocation feed unavailable; retrying')
      if (!err && isFailing) app.log.info('revocation feed available again')
      isFailing = err !== undefined
    },
  })
  app.addHook('onClose', async () => revocations.close())
  new Gauge({
    name: 'latchkey_revocation_entries',
    help: 'Revocations known to this verifier',
    registers: [app.metrics],
    collect() {
      this.set(revocations.entries)
    },
  })
  new Gauge({
    name: 'latchkey_revocation_age_seconds',
    help: 'Seconds since the last successful poll of the revocation feed; +Inf before the first',
    registers: [app.metrics],
    collect() {
      this.set(revocations.ageSeconds)
    },
  })
  return revocations
}

function createFeedOrExplain(options: RevocationFeedOptions): RevocationFeed {
  try {
    return createRevocationFeed(options)
  } catch (err) {
    if (!(err instanceof KeyringError)) throw err
    throw new ConfigError(`LATCHKEY_KEYS_FILE: ${err.message}`)
  }
}

/** With auth's own file, a thief of this service's files could act as auth. */
function warnOfAuthKeys({ keyring, log }: FastifyInstance, service: string): void {
  const warn = ({ keys, refresh, roots, idTokenKeys }: KeySet) => {
    const isPrivate = keys.some((key) => key.alg === 'ES256' && key.d !== undefined)
    const ownKeys = [...roots, ...idTokenKeys]
    if (refresh === undefined && ownKeys.length === 0 && !isPrivate) return
    log.warn(
      `LATCHKEY_KEYS_FILE is the key file of auth; give this service its own: latchkey keys export --service ${service}`,
    )
  }
  warn(keyring.current)
  keyring.subscribe(warn)
}

/** Wraps a verifier so that every result is counted. */
export function countVerifications(verifier: Verifier, registry: Registry): Verifier {
  const verified = new Counter({
    name: 'latchkey_tokens_verified_total',
    help: 'Access tokens accepted',
    registers: [registry],
  })
  const refused = new Counter({
    name: 'latchkey_tokens_refused_total',
    help: 'Access tokens refused, by code',
    labelNames: ['code'] as const,
    registers: [registry],
  })
  const check: Verifier['check'] = (token, staleness) => {
    const result = verifier.check(token, staleness)
    if (result.ok) verified.inc()
    else refused.inc({ code: result.error.code })
    return result
  }
  return {
    check,
    revocations: verifier.revocations,
    jwks: verifier.jwks,
    verify: (token, staleness) => {
      const result = check(token, staleness)
      // A new error, with its own stack: the one of `check` is frozen and shared by all refusals.
      if (!result.ok) throw new TokenError(result.error.code, result.error.claim)
      return result.claims
    },
  }
}
