import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server'
import { describeMail } from './describe-mail.ts'
import { openMailFolder } from './mail-folder.ts'

export interface MailCatcherOptions {
  /** Where mail is kept. */
  readonly folder: string
  /** Number of mails to keep. */
  readonly maxFiles?: number
  /** Called with one line for each mail, safe to print. */
  readonly onMail: (line: string) => void
}

/** An SMTP server that delivers nothing: it keeps every mail in a folder and describes it. */
export interface MailCatcher {
  /** As `smtp://127.0.0.1:40123`; there is no password. */
  readonly url: string
  close(): void
}

const maxMailBytes = 1_000_000
const maxClients = 50
const maxRecipients = 20

/** Starts a mail catcher on a free port, which only this machine reaches. */
export async function startMailCatcher(options: MailCatcherOptions): Promise<MailCatcher> {
  const { onMail, maxFiles = 1_000 } = options
  const folder = await openMailFolder(options.folder, maxFiles)
  const server = new SMTPServer({
    size: maxMailBytes,
    rejectOversized: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    maxClients,
    maxRecipients,
    closeTimeout: 100,
    async onData(stream, { envelope }, done) {
      const addresses = envelope.rcptTo.map(({ address }) => address)
      try {
        const mail = await read(stream)
        if (mail) {
          await folder.keep(addresses.join(','), mail)
          onMail(await describeMail(addresses, mail))
        }
        done()
      } catch (err) {
        done(Object.assign(new Error('the mail cannot be kept', { cause: err }), tryAgain))
      }
    },
  })
  // A client that breaks its connection costs nobody else.
  server.on('error', () => {})
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.server.address() as AddressInfo
  return { url: `smtp://127.0.0.1:${port}`, close: () => server.close() }
}

/** The sender repeats it later (RFC 5321 section 4.2.1). */
const tryAgain = { responseCode: 451 }

/** Reads a mail to its end; `undefined` if it is too large. */
async function read(stream: SMTPServerDataStream): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) if (!stream.sizeExceeded) chunks.push(chunk)
  return stream.sizeExceeded ? undefined : Buffer.concat(chunks)
}
