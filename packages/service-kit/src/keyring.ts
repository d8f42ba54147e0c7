import { statSync } from 'node:fs'
import { type Keyring, KeyringError, type KeyringFileOptions, openKeyring } from '@latchkey/verify'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, Gauge } from 'prom-client'
import { ConfigError } from './config.ts'
import { howToMakeKeys } from './settings.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The keys of tokens, as the file has them now. */
    keyring: Keyring
  }
}

/**
 * Opens the keyring file and follows its changes; each reload and each failed one is logged and
 * counted, by key IDs, never keys.
 *
 * @throws ConfigError when the file cannot be used at start-up
 */
export const keyring = fp<{ file: string }>(
  async (app, { file }) => {
    const reloads = new Counter({
      name: 'latchkey_keyring_reloads_total',
      help: 'Changes of the keyring file, by what came of them: ok, or failed (the old keys serve on)',
      labelNames: ['result'] as const,
      registers: [app.metrics],
    })
    const opened = openOrExplain(file, {
      onReload: ({ keys }) => {
        reloads.inc({ result: 'ok' })
        app.log.info({ kids: keys.map(({ kid }) => kid) }, 'keyring reloaded')
      },
      onError: (err) => {
        reloads.inc({ result: 'failed' })
        app.log.error({ err }, 'the keyring file cannot be used; the old keys serve on')
      },
    })
    warnOfExposure(file, app.log)
    opened.subscribe(() => warnOfExposure(file, app.log))
    app.decorate('keyring', opened)
    new Gauge({
      name: 'latchkey_keyring_keys',
      help: 'Keys of the ring that verify access tokens',
      registers: [app.metrics],
      collect() {
        this.set(opened.current.keys.length)
      },
    })
    app.addHook('onClose', async () => opened.close())
  },
  { name: 'keyring', fastify: '5.x' },
)

function openOrExplain(file: string, options: KeyringFileOptions): Keyring {
  try {
    return openKeyring(file, options)
  } catch (err) {
    if (!(err instanceof KeyringError)) throw err
    throw new ConfigError(`LATCHKEY_KEYS_FILE: ${err.message}; ${howToMakeKeys}`)
  }
}

/** Whoever can read the keyring can issue tokens: that should be its owner, and at most its group. */
function warnOfExposure(file: string, log: FastifyBaseLogger): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o007) === 0) return
  log.warn({ file, mode: (mode & 0o777).toString(8) }, 'the keyring can be read by everybody here')
}
