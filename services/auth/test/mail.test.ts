import { once } from 'node:events'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createService, inTransaction, type Service } from '@latchkey/service-kit'
import t, { type Test } from 'tap'
import { auth } from '../src/app.ts'
import type { AuthConfig } from '../src/config.ts'
import { mailer } from '../src/mail/mailer.ts'
import { mailSender } from '../src/mail/sender.ts'
import { connectTransport } from '../src/mail/transport.ts'
import { mailSettings, readCode } from './mail-support.ts'
import { startFaultySmtp, startSmtp, until } from './smtp-support.ts'
import { createConfig, post, startAuth, startInstance, startProcess } from './support.ts'

/** Instances send mail while they listen. */
async function listen(app: Service): Promise<Service> {
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app
}

const startSending = async (t: Test, overrides: Parameters<typeof startAuth>[1]) =>
  listen(await startAuth(t, overrides))

const settings = (url: string) => ({ ...mailSettings, LATCHKEY_SMTP_URL: url })
const ask = (app: Service, email: string) => post(app, '/v1/register', { email })
const address = (index: number) => `user-${index}@example.com`
const countQueued = async (app: Service) =>
  (await app.db.query('SELECT FROM outbox WHERE dead_at IS NULL')).rowCount

/** Makes mail that waits due again. */
const hurry = (app: Service) =>
  app.db.query('UPDATE outbox SET next_attempt_at = now() WHERE dead_at IS NULL')

t.test('sends text and HTML, and forgets the mail', async (t) => {
  const smtp = await startSmtp(t)
  const app = await startSending(t, settings(smtp.url))
  const asked = await ask(app, 'ada@example.com')
  const { code } = await readCode(app, 'ada@example.com')
  await until(() => smtp.mails.length === 1)
  const [mail] = smtp.mails
  t.match(mail?.subject, 'Confirm your e-mail address for Latchkey')
  t.match(mail?.headers.get('auto-submitted'), 'auto-generated')
  t.match(mail?.from?.value, [{ address: 'no-reply@example.com' }])
  const shown = `${code?.slice(0, 4)} ${code?.slice(4)}`
  t.ok(mail?.text?.includes(shown))
  t.ok(String(mail?.html).includes(shown))
  const link = `https://app.example.com/register?verification_id=${asked.json().verification_id}`
  t.ok(mail?.text?.includes(`${link}&code=${code}`))
  await until(async () => (await countQueued(app)) === 0)
  const metrics = (await app.inject({ url: '/metrics' })).body
  t.match(metrics, /latchkey_mails_total\{[^}]*result="sent"[^}]*\} 1/)
})

t.test('sends nothing for an unknown address', async (t) => {
  const smtp = await startSmtp(t)
  const app = await startSending(t, settings(smtp.url))
  await post(app, '/v1/password-reset', { email: 'nobody@example.com' })
  await until(async () => (await countQueued(app)) === 0)
  t.equal(smtp.mails.length, 0)
})

t.test('gives up a mail that the server refuses; repeats one that it greylists', async (t) => {
  const seen = new Set<string>()
  const smtp = await startSmtp(t, {
    onRcptTo({ address }, _session, callback) {
      const isNew = !seen.has(address)
      seen.add(address)
      if (address.startsWith('gone')) {
        return callback(Object.assign(new Error('no such user'), { responseCode: 550 }))
      }
      if (isNew) return callback(Object.assign(new Error('try later'), { responseCode: 451 }))
      callback()
    },
  })
  const app = await startSending(t, settings(smtp.url))
  await ask(app, 'gone@example.com')
  await ask(app, 'grey@example.com')
  const dead = () => app.db.query('SELECT recipient, sealed FROM outbox WHERE dead_at IS NOT NULL')
  await until(async () => (await dead()).rowCount === 1)
  t.match((await dead()).rows, [{ recipient: 'gone@example.com', sealed: Buffer.alloc(0) }])
  await until(() => seen.has('grey@example.com'))
  await until(async () => {
    await hurry(app)
    return (await countQueued(app)) === 0
  })
  t.equal(smtp.mails.length, 1, 'once')
})

t.test('does not send a mail whose code has expired', async (t) => {
  const app = await startSending(t, mailSettings)
  await ask(app, 'ada@example.com')
  await app.db.query('UPDATE outbox SET expires_at = now(), next_attempt_at = now()')
  await until(async () => (await countQueued(app)) === 0)
  const { rows } = await app.db.query('SELECT dead_at FROM outbox')
  t.ok(rows[0].dead_at)
})

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
  const app = await startSending(t, settings(smtp.url))
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

t.test('logs neither addresses nor codes nor the password of the server', async (t) => {
  let isOpen = false
  const smtp = await startSmtp(t, {
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    authOptional: false,
    onAuth: ({ username = '' }, _session, callback) =>
      isOpen
        ? callback(null, { user: username })
        : callback(Object.assign(new Error(`no, ${username}`), { responseCode: 535 })),
    onRcptTo({ address }, _session, callback) {
      const responseCode = address.startsWith('gone') ? 550 : 451
      callback(Object.assign(new Error(`<${address}> is unknown`), { responseCode }))
    },
  })
  const config = await createConfig(t, {
    ...settings(smtp.url.replace('//', '//mailer:geheim@')),
    LATCHKEY_LOG_LEVEL: 'debug',
  })
  const { log } = await startProcess(t, config)
  const app = await startInstance(t, config)
  await ask(app, 'gone@example.com')
  await ask(app, 'grey@example.com')
  const codes = await Promise.all(
    ['gone', 'grey'].map((name) => readCode(app, `${name}@example.com`)),
  )
  await app.close()
  await until(() => log().includes('EAUTH AUTH PLAIN 535'))
  isOpen = true
  await until(() => log().includes('mail can be sent again'))
  await until(() => log().includes('the mail server has refused a mail for good'))
  for (const text of ['gone', 'grey', 'geheim', ...codes.map(({ code }) => code)]) {
    t.notOk(log().includes(text), text)
  }
  t.equal(log().match(/mail could not be sent/g)?.length, 1, 'one line for the outage')
})

t.test('a content that was moved to another row is not sent', async (t) => {
  const smtp = await startSmtp(t)
  const config = await createConfig(t, settings(smtp.url))
  const away = await startInstance(t, config)
  await ask(away, 'ada@example.com')
  await away.db.query(`UPDATE outbox SET recipient = 'eve@example.com', next_attempt_at = now()`)
  await away.close()
  const app = await listen(await startInstance(t, { ...config, LATCHKEY_LOG_LEVEL: 'silent' }))
  const attempts = async () => (await app.db.query('SELECT attempts FROM outbox')).rows[0].attempts
  const before = await attempts()
  await until(async () => {
    await hurry(app)
    return (await attempts()) > before + 1
  })
  t.equal(smtp.mails.length, 0)
})

t.test('the statements of the guide for stuck mail run', async (t) => {
  const app = await startAuth(t)
  const guide = await readFile(new URL('../../../docs/guides/mail.md', import.meta.url), 'utf8')
  const statements = [...guide.matchAll(/```sql\n([^`]+)```/g)].map(([, sql = '']) => sql)
  t.equal(statements.length, 3)
  for (const statement of statements) await app.db.query(statement)
})

t.test('sends nothing over a connection that is not encrypted', async (t) => {
  const smtp = await startSmtp(t)
  // A name that is not a loopback address, and resolves to one.
  const remote = `smtp://0.0.0.0:${smtp.port}`
  const send = (url: string) => {
    const transport = connectTransport(url, 'Example <no-reply@example.com>')
    t.teardown(() => transport.close())
    const content = { subject: 'Subject', text: 'Text', html: '<p>Text</p>' }
    return transport.send(
      { id: 'id', recipient: 'ada@example.com', ...content },
      AbortSignal.timeout(60_000),
    )
  }
  await t.rejects(send(remote), { code: 'ETLS' })
  t.equal(smtp.mails.length, 0)
  t.equal(await send(`${remote}?tls=none`), 'sent')
  t.match(smtp.mails[0]?.from?.value, [{ name: 'Example', address: 'no-reply@example.com' }])
})

t.test('authenticates with the user and the password of the URL', async (t) => {
  const logins: object[] = []
  const smtp = await startSmtp(t, {
    disabledCommands: ['STARTTLS'],
    allowInsecureAuth: true,
    authOptional: false,
    onAuth({ username, password }, _session, callback) {
      logins.push({ username, password })
      callback(null, { user: username })
    },
  })
  const url = smtp.url.replace('//', '//mailer%40example.com:p%2Fss@')
  const app = await startSending(t, settings(url))
  await ask(app, 'ada@example.com')
  await until(() => smtp.mails.length === 1)
  t.match(logins, [{ username: 'mailer@example.com', password: 'p/ss' }])
})

t.test('no address adds a header, a recipient or a command', async (t) => {
  const smtp = await startSmtp(t)
  const app = await startSending(t, settings(smtp.url))
  for (const email of [
    'ada@example.com\r\nBcc: eve@example.com',
    'ada@example.com\nSubject: x',
    'ada@example.com, eve@example.com',
    'ada@example.com; eve@example.com',
    '"Ada" <ada@example.com>',
    '<ada@example.com>',
    '"a b"@example.com',
    'ada@example.com(comment)',
    'ada@[127.0.0.1]',
    'ada@127.0.0.1',
    'ada@exam_ple.com',
    'ada@@example.com',
    'group: ada@example.com;',
  ]) {
    for (const path of ['/v1/register', '/v1/password-reset']) {
      t.match((await post(app, path, { email })).json(), { code: 'invalid_request' }, email)
    }
  }
  t.equal(await countQueued(app), 0)
})

t.test('templates of a folder replace those built in; mistakes are named', async (t) => {
  const smtp = await startSmtp(t)
  const start = async (t: Test, name: string, content: string) => {
    const folder = await mkdtemp(join(tmpdir(), 'latchkey-templates-'))
    await writeFile(join(folder, name), content)
    return startSending(t, { ...settings(smtp.url), LATCHKEY_MAIL_TEMPLATES: folder })
  }
  const app = await start(t, 'registration.txt', 'Subject: Hallo\n\nCode {{code}} <{{product}}>\n')
  await ask(app, 'ada@example.com')
  await until(() => smtp.mails.length === 1)
  t.match(smtp.mails[0], { subject: 'Hallo', text: /^Code \d{4} \d{4} <Latchkey>/ })
  const refuses = (name: string, content: string, message: RegExp) =>
    t.rejects(start(t, name, content), { message })
  await refuses('registration.txt', 'Hello', /registration\.txt must begin with a line "Subject/)
  await refuses('registration.html', '{{password}}', /unknown placeholder \{\{password\}\}/)
  await refuses('registration.html', '{{#link}}', /registration\.html is not a valid template/)
  await refuses('welcome.txt', 'Subject: x', /welcome\.txt is not the name of a template/)
  await refuses('layout.html', '<p></p>', /layout\.html must contain/)
})
