import { statSync } from 'node:fs'
import { type Keyring, KeyringError, type KeyringFileOptions, openKeyring } from '@latchkey/verify'
import type { FastifyBaseLogger } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, Gauge } from 'prom-client'
import { ConfigError } from './config.ts'
import { howToMakeKeys } from './settings.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The keys in memory, reloaded when the file changes. */
    keyring: Keyring
  }
}

/**
 * Opens the key file and reloads it when it changes. Logs and counts every reload and every failed
 * one, with key IDs but no keys.
 *
 * @throws ConfigError when the file cannot be used at start
 */
export const keyring = fp<{ file: string }>(
  async (app, { file }) => {
    const reloads = new Counter({
      name: 'latchkey_keyring_reloads_total',
      help: 'Reloads of the key file, by result: ok, or failed (the previous keys stay in use)',
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
        app.log.error({ err }, 'key file cannot be used; the previous keys stay in use')
      },
    })
    warnOfExposure(file, app.log)
    opened.subscribe(() => warnOfExposure(file, app.log))
    app.decorate('keyring', opened)
    new Gauge({
      name: 'latchkey_keyring_keys',
      help: 'Keys in memory that verify access tokens',
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
    // Only for a file that does not exist: a new file in place of another replaces all keys.
    const isMissing = (err.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
    const advice = isMissing ? `; ${howToMakeKeys}` : ''
    throw new ConfigError(`LATCHKEY_KEYS_FILE: ${err.message}${advice}`)
  }
}

/** Anyone who can read the key file can issue tokens, so only its owner and group should. */
function warnOfExposure(file: string, log: FastifyBaseLogger): void {
  const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0
  if ((mode & 0o007) === 0) return
  log.warn(
    { file, mode: (mode & 0o777).toString(8) },
    'the key file is world-readable; remove read permission for others',
  )
}
