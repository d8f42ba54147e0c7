import { createTransport } from 'nodemailer'

/** A mail as it is sent. */
export interface Message {
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
   * @param signal ends the connection, so that what is left of the mail does not arrive later
   * @returns `refused` when the server will never accept this mail
   * @throws SendError when it could not be sent now
   */
  send(message: Message, signal: AbortSignal): Promise<'sent' | 'refused'>
  close(): void
}

/**
 * A mail could not be sent now. The message has codes and steps of SMTP, for the log, and nothing of
 * the server's reply, which often repeats the address.
 */
export class SendError extends Error {
  readonly code: string | undefined
  /** Whether the server has deferred this mail, and may accept others. */
  readonly isOfMail: boolean

  constructor({ code, command, responseCode, message }: SmtpError) {
    const isReply = responseCode !== undefined
    const reason = code === 'EABORT' ? 'the mail server took too long' : message
    super([code, command, isReply ? responseCode : reason].filter(Boolean).join(' '))
    this.code = code
    // 421: the server closes the connection (RFC 5321 section 3.8).
    this.isOfMail = isReply && responseCode !== 421 && isOfMail(command)
  }
}

/** The members of nodemailer's errors that are used here. */
type SmtpError = Error & { code?: string; command?: string; responseCode?: number }

/** Time limits of each step, in milliseconds. A server may take that long for every line. */
const stepTimeouts = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 15_000 }

const defaultPorts: Readonly<Record<string, number>> = { 'smtp:': 587, 'smtps:': 465 }

/** Whether a reply at this step of SMTP (RFC 5321) is about the mail, and not its client. */
const isOfMail = (command = '') => ['RCPT TO', 'DATA'].includes(command)

/**
 * Connects to the server of an SMTP URL. The connection is encrypted, and the certificate checked,
 * unless the server is on this machine or the URL ends with `?tls=none`.
 *
 * @param sender `no-reply@example.com`, or `Example <no-reply@example.com>`
 */
export function connectTransport(smtpUrl: string, sender: string): MailTransport {
  const [, name = '', address = sender] = /^(.*) <(.*)>$/.exec(sender) ?? []
  const domain = address.slice(address.indexOf('@') + 1)
  const transport = createTransport({
    ...{ pool: true as const, maxConnections: 1, maxMessages: Number.POSITIVE_INFINITY },
    disableFileAccess: true,
    disableUrlAccess: true,
    ...stepTimeouts,
    ...readSmtpUrl(smtpUrl),
  })

  return {
    async send({ id, recipient, ...content }, signal) {
      try {
        await transport.sendMail({
          from: { name, address },
          to: { name: '', address: recipient },
          messageId: `<${id}@${domain}>`,
          // RFC 3834: no vacation notice shall answer.
          headers: { 'Auto-Submitted': 'auto-generated' },
          ...content,
          signal,
        })
        return 'sent'
      } catch (err) {
        const { responseCode = 0, command } = err as SmtpError
        if (responseCode >= 500 && isOfMail(command)) return 'refused'
        throw new SendError(err as SmtpError)
      }
    },
    close: () => transport.close({ force: true }),
  }
}

function readSmtpUrl(smtpUrl: string) {
  const { protocol, hostname, port, username, password, search } = new URL(smtpUrl)
  const host = hostname.replace(/^\[|\]$/g, '')
  const isLocal = host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
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
