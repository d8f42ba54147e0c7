import type { Service } from '@latchkey/service-kit'
import { openMail } from '../src/mail/seal.ts'
import { post } from './support.ts'

/** The settings of an app that writes mail, to a server that does not exist. */
export const mailSettings = {
  LATCHKEY_SMTP_URL: 'smtp://127.0.0.1:9',
  LATCHKEY_MAIL_FROM: 'no-reply@example.com',
  LATCHKEY_PAGES_URL: 'https://app.example.com',
}

/** The same, to a server at this URL. */
export const settings = (url: string) => ({ ...mailSettings, LATCHKEY_SMTP_URL: url })

/** Instances send mail while they listen. */
export async function listen(app: Service): Promise<Service> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app
}

/** Asks for an account, which queues a mail. */
export const ask = (app: Service, email: string) => post(app, '/v1/register', { email })

export const countQueued = async (app: Service) =>
  (await app.db.query('SELECT FROM outbox WHERE dead_at IS NULL')).rowCount

/** Makes mail that waits due again. */
export const hurry = (app: Service) =>
  app.db.query('UPDATE outbox SET next_attempt_at = now() WHERE dead_at IS NULL')

export interface WrittenMail {
  kind: string
  code: string
  verificationId: string
  link: string
}

/** The mail in the outbox for an address, the latest last. */
export async function readMail(app: Service, recipient: string): Promise<WrittenMail[]> {
  const { rows } = await app.db.query(
    'SELECT id, kind, sealed FROM outbox WHERE recipient = $1 ORDER BY created_at, id',
    [recipient],
  )
  return rows.map(({ id, kind, sealed }) => ({
    ...(openMail(app.keyring.current.roots, { id, recipient }, sealed) as WrittenMail),
    kind,
  }))
}

/** What a client sends to confirm, from the latest mail. */
export async function readCode(app: Service, recipient: string) {
  const { code = '', verificationId = '' } = (await readMail(app, recipient)).at(-1) ?? {}
  return { verification_id: verificationId, code }
}
