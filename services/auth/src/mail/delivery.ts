import type { FastifyInstance } from 'fastify'
import { buryMail, type ClaimedMail, deleteMail, postponeMail } from './outbox-store.ts'
import { openMail } from './seal.ts'
import type { Templates } from './templates.ts'
import { type Message, SendError } from './transport.ts'

/**
 * Back-off after a failed attempt, in seconds: doubled each time, with jitter. It is shorter in an
 * outage of the server, so that all mail is sent soon after it.
 */
const backOff = { first: 5, longest: { deferred: 900, outage: 60 } }

/** `outage`: failed, and another mail would fail too. */
type Result = 'sent' | 'skipped' | 'failed' | 'outage' | 'expired' | 'refused'

/**
 * Sends a claimed mail and notes the result in the outbox.
 *
 * @param send as of a `MailTransport`
 */
export function createDelivery(
  app: FastifyInstance,
  templates: Templates,
  send: (message: Message) => Promise<'sent' | 'refused'>,
): (mail: ClaimedMail) => Promise<Result> {
  let isFailing = false

  /** Logs a change only: an outage of an hour must not log a line for each mail. */
  function noteOutage(err?: SendError): void {
    if (err && !isFailing) app.log.warn({ err }, 'mail could not be sent; retrying')
    if (!err && isFailing) app.log.info('mail can be sent again')
    isFailing = err !== undefined
  }

  async function attempt({ id, kind, recipient, sealed }: ClaimedMail): Promise<Result> {
    if (kind === 'none') return 'skipped'
    try {
      const content = openMail(app.keyring.current.roots, { id, recipient }, sealed)
      const result = await send({ id, recipient, ...templates.render(kind, content) })
      noteOutage()
      if (result === 'refused')
        app.log.warn({ kind }, 'the mail server permanently refused a mail; giving up')
      return result
    } catch (err) {
      if (!(err instanceof SendError)) {
        app.log.error({ err, kind }, 'a mail could not be opened; retrying')
        return 'failed'
      }
      noteOutage(err.isOfMail ? undefined : err)
      return err.isOfMail ? 'failed' : 'outage'
    }
  }

  return async (mail) => {
    const result = mail.expired ? 'expired' : await attempt(mail)
    if (result === 'sent' || result === 'skipped') await deleteMail(app.db, mail.id)
    else if (result === 'expired' || result === 'refused') await buryMail(app.db, mail.id)
    else {
      const longest = backOff.longest[result === 'failed' ? 'deferred' : 'outage']
      const seconds = Math.min(backOff.first * 2 ** (mail.attempts - 1), longest)
      await postponeMail(app.db, mail.id, seconds * (0.75 + Math.random() / 2))
    }
    return result
  }
}
