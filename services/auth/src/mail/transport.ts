import { createTransport } from 'nodemailer'

/** A mail as it is sent. */
interface Message {
  /** Of the outbox: a mail that is sent twice has the same Message-ID. */
  id: string
  recipient: string
  subject: string
  text: string
  html: string
}

/** A connection to the mail server, which is opened for the first mail and kept. */
export interface MailTransport {
  /**
   * @returns `refused` when the server will never accept this mail
   * @throws Error when it could not be sent now
   */
  send(message: Message): Promise<'sent' | 'refused'>
  close(): void
}

/** Time limits of each step, in milliseconds. A server may take that long for every line. */
const stepTimeouts = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 15_000 }
/** Longest time for a whole mail, in milliseconds. The steps alone would not end one that drips. */
export const sendTimeoutMs = 30_000

const defaultPorts: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 }

/** The steps of SMTP (RFC 5321) at which a server refuses a mail, rather than its client. */
const mailSteps = ['RCPT TO', 'DATA']

/**
 * Connects to the server of an SMTP URL. The connection is encrypted, and the certificate checked,
 * unless the server is on this machine or the URL ends with `?tls=none`.
 *
 * @param sender `no-reply@example.com`, or `Example <no-reply@example.com>`
 */
export function connectTransport(smtpUrl: string, sender: string): MailTransport {
  const [, name = '', address = sender] = /^(.*) <(.*)>$/.exec(sender) ?? []
  const domain = address.slice(address.indexOf('@') + 1)
  const options = readSmtpUrl(smtpUrl)
  const open = () =>
    createTransport({
      ...{ pool: true as const, maxConnections: 1, maxMessages: Number.POSITIVE_INFINITY },
      ...stepTimeouts,
      ...options,
    })
  let transport = open()

  return {
    async send({ id, recipient, ...content }) {
      let timer: NodeJS.Timeout | undefined
      const timeout = new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          // Ends the connection: what is left of this mail must not arrive later.
          transport.close()
          transport = open()
          reject(new Error(`the mail server took more than ${sendTimeoutMs / 1_000} s`))
        }, sendTimeoutMs)
      })
      const sending = transport.sendMail({
        from: { name, address },
        to: { name: '', address: recipient },
        messageId: `<${id}@${domain}>`,
        // RFC 3834: no vacation notice shall answer.
        headers: { 'Auto-Submitted': 'auto-generated' },
        ...content,
        disableFileAccess: true,
        disableUrlAccess: true,
      })
      sending.catch(() => {}) // The timeout may have been reported instead.
      try {
        await Promise.race([sending, timeout])
        return 'sent'
      } catch (err) {
        const { responseCode = 0, command = '' } = err as {
          responseCode?: number
          command?: string
        }
        if (responseCode >= 500 && mailSteps.includes(command)) return 'refused'
        throw err
      } finally {
        clearTimeout(timer)
      }
    },
    close: () => transport.close(),
  }
}

function readSmtpUrl(smtpUrl: string) {
  const { protocol, hostname, port, username, password, search } = new URL(smtpUrl)
  const host = hostname.replace(/^\[|\]$/g, '')
  const isLocal = host === 'localhost' || host === '::1' || /^127\./.test(host)
  const isPlain = protocol === 'smtp:' && (isLocal || search === '?tls=none')
  return {
    host,
    port: Number(port) || defaultPorts[protocol],
    secure: protocol === 'smtps:',
    ignoreTLS: isPlain,
    requireTLS: !isPlain,
    ...(username && {
      auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) },
    }),
  }
}
