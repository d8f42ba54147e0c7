import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { connectTransport } from '../src/mail/transport.ts'
import {
  ask,
  countQueued,
  hurry,
  listen,
  mailSettings,
  readCode,
  settings,
} from './mail-support.ts'
import { startSmtp, until } from './smtp-support.ts'
import { createConfig, post, startAuth, startInstance, startProcess } from './support.ts'

const startSending = async (t: Test, overrides: Parameters<typeof startAuth>[1]) =>
  listen(await startAuth(t, overrides))

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
  await until(() => log().includes('the mail server permanently refused a mail; giving up'))
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
