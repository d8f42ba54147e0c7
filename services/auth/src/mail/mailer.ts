import { ConfigError, createUuid, ProblemError, type Transaction } from '@latchkey/service-kit'
import fp from 'fastify-plugin'
import { rootMissing } from '../keys/jwk.ts'
import { countRequest, hashKey } from '../limits/store.ts'
import type { MailContent, MailKind } from './kinds.ts'
import { enqueueMail, type NewMail } from './outbox-store.ts'
import { sealMail } from './seal.ts'

declare module 'fastify' {
  interface FastifyInstance {
    mail: Mailer
  }
}

/** A mail with a code. */
export interface CodeMail {
  recipient: string
  code: string
  verificationId: string
  /** The page below `LATCHKEY_PAGES_URL` that the mail links to. */
  page: 'register' | 'reset' | 'account'
  /** What the page is told in addition, for instance `undo=1`. */
  query?: Readonly<Record<string, string>>
  /** How long it may wait for the mail server, in seconds: as long as its code is valid. */
  ttlSeconds: number
  /**
   * Whether it counts for the limit of its address. Mail that strangers can cause does. Mail that
   * tells users what happens to their account does not: nobody can suppress it.
   */
  isLimited: boolean
}

/** Writes mail for the outbox. */
interface Mailer {
  /**
   * Composes a mail, to be enqueued in the statement that causes it.
   *
   * @returns `undefined` when it is limited, and its address has got ten such mails within an hour
   * @throws ProblemError 501 `mail_not_configured`
   */
  compose(mail: CodeMail): Promise<NewMail | undefined>
  /** Enqueues a notice without a code. Where mail is not configured, it does nothing. */
  notify(transaction: Transaction, kind: MailKind, recipient: string): Promise<void>
}

/** Mails to one address in an hour: enough for a person who tries again, too few to annoy. */
const maxPerHour = 10
const hourMs = 3_600_000

/** How long a notice may wait for the mail server, in seconds. */
const noticeTtlSeconds = 86_400

/** Decorates `app.mail`. */
export const mailer = fp(
  async (app) => {
    const { config, db, keyring } = app
    // If a new file has no root key, the last ones stay in use.
    let { roots } = keyring.current
    keyring.subscribe((set) => {
      if (set.roots.length > 0) roots = set.roots
    })
    const pages = (config.LATCHKEY_PAGES_URL ?? config.LATCHKEY_ISSUER).replace(/\/+$/, '')
    const isConfigured = config.LATCHKEY_SMTP_URL !== undefined

    if (isConfigured && roots.length === 0) {
      throw new ConfigError(`LATCHKEY_KEYS_FILE: ${rootMissing}`)
    }

    const seal = (recipient: string, content: MailContent, ttlSeconds: number): NewMail => {
      const id = createUuid()
      const sealed = sealMail(roots, { id, recipient }, content)
      return { id, recipient, sealed: sealed.toString('base64'), ttl_seconds: ttlSeconds }
    }

    app.decorate('mail', {
      async compose({ recipient, code, verificationId, ttlSeconds, isLimited, page, query }) {
        if (!isConfigured) throw notConfigured()
        if (isLimited) {
          const key = `mail ${hashKey(recipient.toLowerCase())}`
          if ((await countRequest(db, key, hourMs)).current > maxPerHour) return undefined
        }
        const parameters = new URLSearchParams({ verification_id: verificationId, code, ...query })
        const link = `${pages}/${page}?${parameters}`
        const expiresAt = new Date(Date.now() + ttlSeconds * 1_000)
        return seal(recipient, { code, verificationId, link, expiresAt }, ttlSeconds)
      },
      async notify(transaction, kind, recipient) {
        if (!isConfigured) return
        const mail = seal(recipient, {}, noticeTtlSeconds)
        await transaction.query(`SELECT ${enqueueMail('$1', '$2')}`, [mail, kind])
      },
    })
  },
  { name: 'mailer', fastify: '5.x', dependencies: ['database', 'keyring'] },
)

const notConfigured = () =>
  new ProblemError(
    501,
    'mail_not_configured',
    'This installation sends no mail. Its operator has to set LATCHKEY_SMTP_URL.',
  )
