import { type Keyring, KeyringError, type KeyringFileOptions, openKeyring } from '@latchkey/verify'
import fp from 'fastify-plugin'
import { Counter } from 'prom-client'
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
    app.decorate('keyring', opened)
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
