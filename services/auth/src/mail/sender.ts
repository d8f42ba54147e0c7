import { setTimeout } from 'node:timers/promises'
import fp from 'fastify-plugin'
import { repeatWhileOpen } from '../repeat.ts'
import { createDelivery } from './delivery.ts'
import { exposeMailMetrics } from './metrics.ts'
import { claimMail } from './outbox-store.ts'
import { loadTemplates } from './templates.ts'
import { connectTransport } from './transport.ts'

/** Pause between two looks into the outbox, in milliseconds. */
const pauseMs = 1_000
/** The same while the mail server cannot be reached. */
const outagePauseMs = 5_000

/** How long closing waits for the mail that is being sent, in milliseconds. */
const closeMs = 1_000

export interface SenderOptions {
  /**
   * How long no other instance sends a claimed mail, in seconds: longer than sending takes. If an
   * instance is killed, its mail waits as long.
   */
  leaseSeconds?: number
  /** Longest time to send a mail, in milliseconds, even to a server that replies byte by byte. */
  timeoutMs?: number
}

/**
 * Sends the mail of the outbox, one at a time, on every instance. If an instance is killed, the mail
 * that it was sending may be sent twice, and no mail is lost.
 */
export const mailSender = fp<SenderOptions>(
  async (app, { leaseSeconds = 60, timeoutMs = 30_000 }) => {
    const { LATCHKEY_SMTP_URL: smtp, LATCHKEY_MAIL_FROM: sender = '' } = app.config
    const { LATCHKEY_MAIL_TEMPLATES: folder, LATCHKEY_PRODUCT_NAME: product } = app.config
    const results = exposeMailMetrics(app)
    if (smtp === undefined) return
    const templates = await loadTemplates(folder, product)
    const transport = connectTransport(smtp, sender)
    const aborted = new AbortController()
    const deliver = createDelivery(app, templates, (message) => {
      const signal = AbortSignal.any([aborted.signal, AbortSignal.timeout(timeoutMs)])
      return transport.send(message, signal)
    })

    let closing = false
    let sending: Promise<number> = Promise.resolve(0)
    const sendDueMail = async () => {
      try {
        while (!closing) {
          const mail = await claimMail(app.db, leaseSeconds)
          if (mail === undefined) return pauseMs
          const result = await deliver(mail)
          results.inc({ result: result === 'outage' ? 'failed' : result })
          if (result === 'outage') return outagePauseMs
        }
      } catch (err) {
        app.log.debug({ err }, 'the outbox could not be read; retrying in a second')
      }
      return pauseMs
    }
    const sendNow = () => {
      sending = sendDueMail()
      return sending
    }
    repeatWhileOpen(app, sendNow, 'onListen')
    // The result of the mail being sent is still stored, so that no other instance sends it again.
    app.addHook('onClose', async () => {
      closing = true
      await Promise.race([sending, setTimeout(closeMs, undefined, { ref: false })])
      aborted.abort()
      await sending
      transport.close()
    })
  },
  { name: 'mail-sender', fastify: '5.x', dependencies: ['database', 'keyring', 'mailer'] },
)
