import { once } from 'node:events'
import { createService, inTransaction, type Service } from '@latchkey/service-kit'
import t, { type Test } from 'tap'
import { auth } from '../src/app.ts'
import type { AuthConfig } from '../src/config.ts'
import { mailer } from '../src/mail/mailer.ts'
import { mailSender } from '../src/mail/sender.ts'
import { ask, countQueued, hurry, listen, settings } from './mail-support.ts'
import { startFaultySmtp, startSmtp, until } from './smtp-support.ts'
import { createConfig, startAuth, startInstance, startProcess } from './support.ts'

const address = (index: number) => `user-${index}@example.com`

t.test('all of 200 registrations during an outage are mailed once afterwards', async (t) => {
  const first = await startSmtp(t)
  await first.close()
  const config = await createConfig(t, settings(first.url))
  const apps = [
    await listen(await startInstance(t, config)),
    await listen(await startInstance(t, config)),
  ] as const
  for (let start = 0; start < 200; start += 10) {
    const batch = Array.from({ length: 10 }, (_, index) => address(start + index))
    const replies = await Promise.all(
      batch.map((email, index) => ask(apps[index % 2] ?? apps[0], email)),
    )
    t.strictSame(new Set(replies.map(({ statusCode }) => statusCode)), new Set([202]))
  }
  t.equal(await countQueued(apps[0]), 200)
  const again = await startSmtp(t, {}, first.port)
  await until(async () => {
    await hurryPostponed(apps[0])
    return (await countQueued(apps[0])) === 0
  })
  const recipients = again.mails.map(({ to }) => [to].flat()[0]?.text)
  t.equal(recipients.length, 200)
  t.equal(new Set(recipients).size, 200, 'each once')
})

/** Makes mail due again that waits after a failure; not what an instance is sending. */
const hurryPostponed = (app: Service) =>
  app.db.query(`
    UPDATE outbox SET next_attempt_at = now()
     WHERE dead_at IS NULL AND next_attempt_at > now() AND next_attempt_at < now() + interval '40 s'`)

t.test('a killed sender loses no mail, and sends at most one twice', async (t) => {
  const smtp = await startSmtp(t)
  const database = await createConfig(t, settings(smtp.url))
  const { child, url } = await startProcess(t, { ...database, LATCHKEY_LOG_LEVEL: 'info' })
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      fetch(`${url}/v1/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ email: address(index) }),
      }),
    ),
  )
  t.ok(replies.every(({ status }) => status === 202))
  await until(() => smtp.mails.length >= 3)
  child.kill('SIGKILL')
  await once(child, 'exit')
  const app = await listen(await startInstance(t, database))
  // The lease of the mail that it was sending ends.
  await hurry(app)
  await until(async () => (await countQueued(app)) === 0)
  const recipients = smtp.mails.map(({ to }) => [to].flat()[0]?.text)
  t.equal(new Set(recipients).size, 40, 'none is lost')
  t.ok(recipients.length <= 41, `${recipients.length} mails of 40`)
})

/** Writes a mail without a code. */
const notify = (app: Service, email: string) =>
  inTransaction(app.db, (transaction) =>
    app.mail.notify(transaction, 'password-changed', email).then(() => undefined),
  )

/** An app that only sends mail, and waits five seconds for the server instead of thirty. */
async function startSender(t: Test, config: AuthConfig) {
  const app = await createService(
    {
      ...auth,
      setUp: async (app) => {
        app.decorate('config', config)
        await app.register(mailer)
        await app.register(mailSender, { timeoutMs: 5_000 })
      },
    },
    config,
  )
  t.teardown(() => app.close())
  return listen(app)
}

for (const fault of ['silent', 'drips', 'hangs', 'drops'] as const) {
  t.test(`tries again when the server ${fault}`, async (t) => {
    const smtp = await startFaultySmtp(t, fault)
    const app = await startSender(t, await createConfig(t, settings(smtp.url)))
    await notify(app, 'ada@example.com')
    await until(() => smtp.connections[0]?.destroyed === true)
    await hurry(app)
    await until(async () => (await countQueued(app)) === 0)
    t.equal(new Set(smtp.read).size, 1, 'each attempt has the same Message-ID')
    t.equal(smtp.connections.length, 2)
    // Only the outbox repeats a mail that the server may have accepted.
    const metrics = (await app.inject({ url: '/metrics' })).body
    t.match(metrics, /latchkey_mails_total\{[^}]*result="failed"[^}]*\} 1\n/)
  })
}

t.test('a server that hangs delays no request, and closing', async (t) => {
  const smtp = await startFaultySmtp(t, 'silent')
  const app = await listen(await startAuth(t, settings(smtp.url)))
  await ask(app, 'ada@example.com')
  await until(() => smtp.connections.length > 0)
  t.equal((await ask(app, 'bob@example.com')).statusCode, 202)
  t.equal(await countQueued(app), 2)
  const started = performance.now()
  await app.close()
  t.ok(performance.now() - started < 10_000, 'it does not wait for the time limits')
})

t.test('a mail that is being sent while the instance stops is not sent again', async (t) => {
  const received: string[] = []
  const smtp = await startSmtp(t, {
    async onData(stream, session, callback) {
      stream.resume()
      await once(stream, 'end')
      received.push(...session.envelope.rcptTo.map(({ address }) => address))
      setTimeout(callback, 300)
    },
  })
  const config = await createConfig(t, settings(smtp.url))
  const app = await listen(await startInstance(t, config))
  await notify(app, 'ada@example.com')
  await until(() => received.length === 1)
  await app.close()
  const next = await startInstance(t, config)
  t.equal(await countQueued(next), 0)
})
