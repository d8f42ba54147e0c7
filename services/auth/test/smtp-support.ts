import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
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
      mails.push(await simpleParser(stream))
      callback()
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

/** Resolves when the condition holds; fails after a minute. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000
  while (!(await condition())) {
    if (Date.now() > end) throw new Error('the condition did not hold within a minute')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
