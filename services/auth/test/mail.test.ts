import { once } from 'node:events'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Service } from '@latchkey/service-kit'
import t, { type Test } from 'tap'
import { connectTransport } from '../src/mail/transport.ts'
import { mailSettings, readCode } from './mail-support.ts'
import { startSmtp, until } from './smtp-support.ts'
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

t.test('a server that hangs or drips delays no request', async (t) => {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => {})
    socket.write('220') // And nothing more.
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const { port } = server.address() as { port: number }
  const app = await startSending(t, settings(`smtp://127.0.0.1:${port}`))
  await ask(app, 'ada@example.com')
  await until(() => sockets.length > 0)
  t.equal((await ask(app, 'bob@example.com')).statusCode, 202)
  t.equal(await countQueued(app), 2)
})

t.test('sends nothing over a connection that is not encrypted', async (t) => {
  const smtp = await startSmtp(t)
  // A name that is not a loopback address, and resolves to one.
  const remote = `smtp://0.0.0.0:${smtp.port}`
  const send = (url: string) => {
    const transport = connectTransport(url, 'Example <no-reply@example.com>')
    t.teardown(() => transport.close())
    const content = { subject: 'Subject', text: 'Text', html: '<p>Text</p>' }
    return transport.send({ id: 'id', recipient: 'ada@example.com', ...content })
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
