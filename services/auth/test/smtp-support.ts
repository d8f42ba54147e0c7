import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { type ParsedMail, simpleParser } from 'mailparser'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { Test } from 'tap'

/** A mail server that keeps what it accepts. */
export interface TestSmtp {
  readonly url: string
  readonly port: number
  readonly mails: ParsedMail[]
  close(): Promise<void>
}

/** Starts a real SMTP server without TLS; closed at the end of the test. */
export async function startSmtp(
  t: Test,
  options: SMTPServerOptions = {},
  port = 0,
): Promise<TestSmtp> {
  const mails: ParsedMail[] = []
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    logger: false,
    onData: async (stream, _session, callback) => {
      // A client that is killed sends half a mail.
      const mail = await simpleParser(stream).catch(() => undefined)
      if (mail) mails.push(mail)
      callback(mail ? null : new Error('the mail is not complete'))
    },
    ...options,
  })
  server.on('error', () => {}) // Clients that are killed reset their connections.
  server.listen(port, '127.0.0.1')
  await once(server.server, 'listening')
  const close = () => new Promise<void>((resolve) => void server.close(() => resolve()))
  t.teardown(close)
  const address = server.server.address() as AddressInfo
  return { url: `smtp://127.0.0.1:${address.port}`, port: address.port, mails, close }
}

/** A mail server whose first connection is out of order. */
export interface FaultySmtp {
  readonly url: string
  readonly connections: Socket[]
  /** The Message-IDs of the mails that it has read to their end, in order. */
  readonly read: string[]
}

/**
 * Starts a mail server that does one of these on its first connection: never greets; greets line by
 * line without end; does not reply to a mail; closes the connection instead of that reply.
 */
export async function startFaultySmtp(
  t: Test,
  fault: 'silent' | 'drips' | 'hangs' | 'drops',
): Promise<FaultySmtp> {
  const connections: Socket[] = []
  const read: string[] = []
  const server = createServer((socket) => {
    const isFaulty = connections.push(socket) === 1
    socket.on('error', () => {})
    if (isFaulty && fault === 'silent') return
    if (isFaulty && fault === 'drips') {
      const timer = setInterval(() => socket.write('220-wait\r\n'), 50)
      socket.on('close', () => clearInterval(timer))
      return
    }
    let received = ''
    let isMail = false
    socket.write('220 test\r\n')
    socket.on('data', (chunk) => {
      received += chunk
      const end = isMail ? received.indexOf('\r\n.\r\n') : received.indexOf('\r\n')
      if (end < 0) return
      const [part, wasMail] = [received.slice(0, end), isMail]
      received = ''
      isMail = part === 'DATA'
      if (wasMail) read.push(/^Message-ID: (.*)$/im.exec(part)?.[1] ?? '')
      if (wasMail && isFaulty && fault === 'drops') socket.destroy()
      else if (!(wasMail && isFaulty)) socket.write(isMail ? '354 go on\r\n' : '250 ok\r\n')
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of connections) socket.destroy()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { url: `smtp://127.0.0.1:${port}`, connections, read }
}

/** Resolves when the condition holds; fails after a minute. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not hold within a minute')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
