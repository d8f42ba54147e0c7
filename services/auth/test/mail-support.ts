import type { Service } from '@latchkey/service-kit'
import { openMail } from '../src/mail/seal.ts'

/** The settings of an app that writes mail, to a server that does not exist. */
export const mailSettings = {
  LATCHKEY_SMTP_URL: 'smtp://127.0.0.1:9',
  LATCHKEY_MAIL_FROM: 'no-reply@example.com',
  LATCHKEY_PAGES_URL: 'https://app.example.com',
}

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
