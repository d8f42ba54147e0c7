import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { Counter, Gauge } from 'prom-client'
import { repeatWhileOpen } from '../repeat.ts'
import {
  buryMail,
  type ClaimedMail,
  claimMail,
  countMail,
  deleteMail,
  postponeMail,
} from './outbox-store.ts'
import { openMail } from './seal.ts'
import { loadTemplates, type Templates } from './templates.ts'
import { connectTransport, type MailTransport, sendTimeoutMs } from './transport.ts'

/** Pause between two looks into the outbox, in milliseconds. */
const pauseMs = 1_000

/** Back-off after a failed attempt, in seconds: doubled each time, with jitter. */
const backOff = { first: 5, longest: 900 }

export interface SenderOptions {
  /**
   * How long no other instance sends a claimed mail, in seconds: longer than sending takes. If an
   * instance is killed, its mail waits as long.
   */
  leaseSeconds?: number
}

/**
 * Sends the mail of the outbox, one at a time, on every instance. If an instance is killed, the mail
 * that it was sending may be sent twice, and no mail is lost.
 */
export const mailSender = fp<SenderOptions>(
  async (app, { leaseSeconds = (2 * sendTimeoutMs) / 1_000 }) => {
    const { LATCHKEY_SMTP_URL: smtp, LATCHKEY_MAIL_FROM: sender = '' } = app.config
    const { LATCHKEY_MAIL_TEMPLATES: folder, LATCHKEY_PRODUCT_NAME: product } = app.config
    const results = exposeMetrics(app)
    if (smtp === undefined) return
    const templates = await loadTemplates(folder, product)
    const transport = connectTransport(smtp, sender)
    const send = createDelivery(app, templates, transport)
    let closing = false
    app.addHook('onClose', async () => {
      closing = true
      transport.close()
    })

    const sendDue = async () => {
      try {
        while (!closing) {
          const mail = await claimMail(app.db, leaseSeconds)
          if (mail === undefined) break
          results.inc({ result: await send(mail) })
        }
      } catch (err) {
        app.log.debug({ err }, 'the outbox could not be read; retrying in a second')
      }
      return pauseMs
    }
    repeatWhileOpen(app, sendDue, 'onListen')
  },
  { name: 'mail-sender', fastify: '5.x', dependencies: ['database', 'keyring', 'mailer'] },
)

type Result = 'sent' | 'skipped' | 'failed' | 'expired' | 'refused'

function createDelivery(app: FastifyInstance, templates: Templates, transport: MailTransport) {
  let isFailing = false

  /** Logs a change only: an hour without the mail server must not be a line for each mail. */
  function noteOutcome(err?: unknown): void {
    if (err && !isFailing) app.log.warn({ err }, 'mail could not be sent; retrying')
    if (!err && isFailing) app.log.info('mail can be sent again')
    isFailing = err !== undefined
  }

  async function attempt({ id, kind, recipient, sealed }: ClaimedMail): Promise<Result> {
    if (kind === 'none') return 'skipped'
    const content = openMail(app.keyring.current.roots, { id, recipient }, sealed)
    const result = await transport.send({ id, recipient, ...templates.render(kind, content) })
    noteOutcome()
    if (result === 'refused') app.log.warn({ kind }, 'the mail server has refused a mail for good')
    return result
  }

  return async (mail: ClaimedMail): Promise<Result> => {
    const { id, expired, attempts } = mail
    let result: Result
    try {
      result = expired ? 'expired' : await attempt(mail)
    } catch (err) {
      noteOutcome(err)
      const seconds = Math.min(backOff.first * 2 ** (attempts - 1), backOff.longest)
      await postponeMail(app.db, id, seconds * (0.75 + Math.random() / 2))
      return 'failed'
    }
    if (result === 'sent' || result === 'skipped') await deleteMail(app.db, id)
    else await buryMail(app.db, id)
    return result
  }
}

function exposeMetrics(app: FastifyInstance): Counter<'result'> {
  const registers = [app.metrics]
  new Gauge({
    name: 'latchkey_mail_queue',
    help: 'Mails in the outbox: queued, or dead (expired or refused, kept for a week)',
    labelNames: ['state'] as const,
    registers,
    async collect() {
      this.reset()
      // Without the database the numbers are unknown, and the metric has no samples.
      const counts = await countMail(app.db).catch(() => undefined)
      if (!counts) return
      this.set({ state: 'queued' }, counts.queued)
      this.set({ state: 'dead' }, counts.dead)
      oldest.set(counts.oldestSeconds)
    },
  })
  const oldest = new Gauge({
    name: 'latchkey_mail_oldest_seconds',
    help: 'Age of the oldest mail that waits in the outbox; 0 when none does',
    registers,
  })
  return new Counter({
    name: 'latchkey_mails_total',
    help: 'Attempts to send a mail, by result: sent, failed (retried), refused, expired, or skipped (of a request for an unknown address)',
    labelNames: ['result'] as const,
    registers,
  })
}
