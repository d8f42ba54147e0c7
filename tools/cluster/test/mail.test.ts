import { once } from 'node:events'
import { mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { createTransport } from 'nodemailer'
import t, { type Test } from 'tap'
import { describeMail } from '../src/mail/describe-mail.ts'
import { startMailCatcher } from '../src/mail/mail-catcher.ts'
import { openMailFolder } from '../src/mail/mail-folder.ts'
import { makeFolder } from './helpers.ts'

async function catchMail(t: Test, maxFiles?: number) {
  const folder = join(await makeFolder(t), 'mail')
  const lines: string[] = []
  const onMail = (line: string) => lines.push(line)
  const catcher = await startMailCatcher({ folder, onMail, ...(maxFiles && { maxFiles }) })
  t.teardown(catcher.close)
  const transport = createTransport(catcher.url)
  const send = (to: string, content: { subject?: string; text?: string; html?: string }) =>
    transport.sendMail({ from: 'no-reply@example.com', to, ...content })
  return { folder, lines, send, url: catcher.url, files: () => readdir(folder) }
}

/** Sends a mail as raw lines, past the checks of a client. @returns the replies of the server */
async function sendRaw(url: string, recipient: string, content: string): Promise<string[]> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  const replies = createInterface({ input: socket })[Symbol.asyncIterator]()
  const seen: string[] = []
  const sender = ['HELO test', 'MAIL FROM:<a@example.com>', `RCPT TO:<${recipient}>`, 'DATA']
  for (const command of [undefined, ...sender, `${content}\r\n.`, 'QUIT']) {
    if (command !== undefined) socket.write(`${command}\r\n`)
    const { value, done } = await replies.next()
    if (done) break
    seen.push(value)
  }
  socket.destroy()
  return seen
}

/** What a terminal would interpret. */
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u

t.test('prints the code of a mail, and stores the mail for its owner alone', async (t) => {
  const { folder, lines, send, files } = await catchMail(t)
  const text = `Your code is 12345678.\nID 12345678-87654321-a_b, order 1234567890123.`
  await send('ada@example.com', { subject: 'Confirm your address', text, html: '<b>12345678</b>' })
  t.strictSame(lines, ['mail to ada@example.com: code 12345678'])
  const [name = '', ...others] = await files()
  t.strictSame(others, [])
  t.match(name, /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z-ada@example\.com\.eml$/)
  t.equal((await stat(join(folder, name))).mode & 0o777, 0o600)
  t.equal((await stat(folder)).mode & 0o777, 0o700)
  t.match(await readFile(join(folder, name), 'utf8'), /^Subject: Confirm your address\r$/m)
})

t.test('finds a code in two groups, in HTML, and in an encoded mail', async (t) => {
  const { lines, send } = await catchMail(t)
  await send('ada@example.com', { html: '<p>Code: <b>00345678</b></p>' })
  await send('eve@example.com', {
    text: 'Your code: 5910 4831\nValid until 4 December 2026 at 06:49',
  })
  await send('bob@example.com', { text: `${'é '.repeat(200)}\nGeben Sie 87654321 ein` })
  t.strictSame(lines, [
    'mail to ada@example.com: code 00345678',
    'mail to eve@example.com: code 59104831',
    'mail to bob@example.com: code 87654321',
  ])
})

t.test('prints the subject of a mail without a code', async (t) => {
  const { lines, send } = await catchMail(t)
  await send('ada@example.com', { subject: 'Your password was changed', text: 'At 12:30 UTC.' })
  await send('ada@example.com', { text: 'ID 1234567890-12345678_x' })
  t.strictSame(lines, [
    'mail to ada@example.com: Your password was changed',
    'mail to ada@example.com: no subject',
  ])
})

t.test('keeps the newest mails, also across a restart', async (t) => {
  const { folder, send, files, lines } = await catchMail(t, 3)
  await writeFile(join(folder, 'notes.txt'), 'not a mail')
  for (const at of [1, 2, 3, 4, 5]) await send(`user${at}@example.com`, { text: 'Hello' })
  const kept = (await files()).filter((name) => name.endsWith('.eml'))
  t.match(kept.sort(), [/-user3@/, /-user4@/, /-user5@/])
  const again = await startMailCatcher({ folder, maxFiles: 2, onMail: () => {} })
  again.close()
  t.strictSame((await files()).sort(), [...kept.slice(1), 'notes.txt'])
  t.equal(lines.length, 5)
})

t.test('mails that arrive simultaneously have files of their own', async (t) => {
  const { send, files } = await catchMail(t)
  await Promise.all(
    Array.from({ length: 20 }, () => send('ada@example.com', { text: 'Code 12345678' })),
  )
  t.equal((await files()).length, 20)
})

t.test('refuses a mail of more than 1 MB, and continues', async (t) => {
  const { lines, send, files, url } = await catchMail(t)
  await t.rejects(send('ada@example.com', { text: 'x'.repeat(1_100_000) }), { message: /552/ })
  // Without SIZE, so that the server learns the size while it reads.
  const line = `${'x'.repeat(998)}\r\n`
  t.match((await sendRaw(url, 'ada@example.com', line.repeat(1_100))).at(-2), /^552 /)
  t.strictSame([lines, await files()], [[], []])
  await send('ada@example.com', { text: 'Code 12345678' })
  t.equal(lines.length, 1)
})

t.test('asks the sender to try again while the mail cannot be stored', async (t) => {
  const { folder, lines, send } = await catchMail(t)
  await rename(folder, `${folder}-elsewhere`)
  await t.rejects(send('ada@example.com', { text: 'Code 12345678' }), { message: /451/ })
  await mkdir(folder)
  await send('ada@example.com', { text: 'Code 12345678' })
  t.equal(lines.length, 1)
})

const hostileAddresses = [
  '/tmp/outside@example.com',
  'a/b@example.com',
  'a\u202egro.elpmaxe@example.com',
  'x@\u202eexample.com',
  '~root$(id)`id`;|&@example.com',
  // The SMTP server refuses these.
  '../../../../outside@example.com',
  '..\\outside@example.com',
  '"a b/../c"@example.com',
  '"\u001b[2J\u001b]0;owned\u0007"@example.com',
  'a\u0000b@example.com',
  `${'long'.repeat(100)}@example.com`,
]

t.test('no address leaves the folder or controls the terminal', async (t) => {
  const { folder, lines, url, files } = await catchMail(t)
  const mail = 'Subject: hello\r\n\r\nCode 12345678'
  for (const address of hostileAddresses) await sendRaw(url, address, mail)
  t.equal(lines.length, 5)
  const unchecked = await openMailFolder(folder, 100)
  for (const address of hostileAddresses) {
    await unchecked.keep(address, Buffer.from(mail))
    lines.push(await describeMail([address], Buffer.from(mail)))
  }
  t.equal((await files()).length, 5 + hostileAddresses.length)
  for (const name of await files()) t.match(name, /^20[\w.@+-]{1,130}\.eml$/)
  t.strictSame(await readdir(dirname(folder)), ['mail'])
  for (const line of lines) t.notMatch(line, unsafe)
})

t.test('no subject controls the terminal', async (t) => {
  const { lines, send, url } = await catchMail(t)
  const hostile = '\u001b[2J\u001b]52;c;ZXZpbA==\u0007\u009b31m\u202efdp.exe\u2028line\u0000'
  await send('ada@example.com', { subject: hostile })
  await sendRaw(url, 'ada@example.com', `Subject: ${hostile}\r\n\r\nHello`)
  await sendRaw(
    url,
    'ada@example.com',
    `Subject: =?utf-8?B?${btoa('a\u001b[2J\r\n  @ mail')}?=\r\n`,
  )
  await sendRaw(url, 'ada@example.com', `Subject: ${'x'.repeat(900)}\r\n\r\nHello`)
  t.equal(lines.length, 4)
  for (const line of lines) {
    t.notMatch(line, unsafe)
    t.ok(line.length <= 300)
  }
})

t.test('a broken mail or connection costs nobody else', async (t) => {
  const { lines, send, url } = await catchMail(t)
  const { hostname, port } = new URL(url)
  const cut = connect(Number(port), hostname)
  cut.write('HELO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nSubject: a')
  await once(cut, 'data')
  cut.resetAndDestroy()
  const broken =
    'Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Transfer-Encoding: ?'
  await sendRaw(url, 'ada@example.com', broken)
  await sendRaw(url, 'ada@example.com', '')
  await send('ada@example.com', { text: 'Code 12345678' })
  t.match(lines.at(-1), 'code 12345678')
  const http = await fetch(`${url.replace('smtp:', 'http:')}/`, {
    method: 'POST',
    body: 'x',
  }).catch((err) => err)
  t.type(http, Error, 'a web page cannot send mail')
})
