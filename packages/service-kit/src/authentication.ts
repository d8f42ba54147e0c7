import { createRevocationFeed, createVerifier, type Verifier } from '@latchkey/verify'
import { latchkey } from '@latchkey/verify/fastify'
import fp from 'fastify-plugin'
import { Counter, Gauge, type Registry } from 'prom-client'
import { keyring } from './keyring.ts'
import type { VerifierConfig } from './settings.ts'

/** Which tokens a resource service takes. */
export interface AuthenticationOptions {
  /** The service's name: the audience its tokens have to name, and what it polls the feed as. */
  service: string
  config: VerifierConfig
}

/**
 * Everything a resource service needs to verify tokens locally: the keyring file, the revocation feed in the
 * background, and `@latchkey/verify/fastify` over both. Afterwards every route needs a token unless it
 * says `config: { public: true }`.
 */
export const authentication = fp<AuthenticationOptions>(
  async (app, { service, config }) => {
    const { LATCHKEY_ISSUER: issuer, LATCHKEY_REVOCATIONS_ON_STALE: onStale } = config
    const maxStaleSeconds = config.LATCHKEY_REVOCATIONS_MAX_STALE_SECONDS
    await app.register(keyring, { file: config.LATCHKEY_KEYS_FILE })

    const polls = new Counter({
      name: 'latchkey_revocation_polls_total',
      help: 'Polls of the revocation feed by result: ok or failed',
      labelNames: ['result'] as const,
      registers: [app.metrics],
    })
    let isFailing = false
    const revocations = createRevocationFeed({
      url: config.LATCHKEY_AUTH_URL,
      keys: app.keyring,
      issuer,
      service,
      instance: config.LATCHKEY_INSTANCE,
      onPoll: (err) => {
        polls.inc({ result: err ? 'failed' : 'ok' })
        // Said once when it changes: a feed that is away for an hour is not 3,600 lines.
        if (err && !isFailing) app.log.warn({ err }, 'revocations cannot be polled; trying on')
        if (!err && isFailing) app.log.info('revocations are polled again')
        isFailing = err !== undefined
      },
    })
    app.addHook('onClose', async () => revocations.close())
    new Gauge({
      name: 'latchkey_revocation_entries',
      help: 'Revocations remembered',
      registers: [app.metrics],
      collect() {
        this.set(revocations.state.entries)
      },
    })
    new Gauge({
      name: 'latchkey_revocation_age_seconds',
      help: 'Time since everything revoked was known, in seconds; +Inf until the first time',
      registers: [app.metrics],
      collect() {
        this.set(revocations.state.ageSeconds)
      },
    })
    // Where stale means allow, the service is ready without; `/readyz` says how it is all the same.
    app.readiness.add(
      'revocations',
      async () => {
        if (revocations.state.ageSeconds > maxStaleSeconds) throw new Error('stale')
      },
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
    await app.register(latchkey, { verifier: counted(verifier, app.metrics) })
  },
  { name: 'authentication', fastify: '5.x' },
)

/** Counts what a verifier answers. */
export function counted(verifier: Verifier, registry: Registry): Verifier {
  const verified = new Counter({
    name: 'latchkey_tokens_verified_total',
    help: 'Tokens that were verified',
    registers: [registry],
  })
  const refused = new Counter({
    name: 'latchkey_tokens_refused_total',
    help: 'Tokens that were refused, by code',
    labelNames: ['code'] as const,
    registers: [registry],
  })
  return {
    verify: (token, staleness) => verifier.verify(token, staleness),
    check: (token, staleness) => {
      const result = verifier.check(token, staleness)
      if (result.ok) verified.inc()
      else refused.inc({ code: result.error.code })
      return result
    },
  }
}
