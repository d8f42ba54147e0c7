import t from 'tap'
import { mailSettings, readCode, readMail } from './mail-support.ts'
import { createConfig, login, password, post, startAuth, startInstance } from './support.ts'

const email = 'ada@example.com'
const confirm = '/v1/email-verification/confirm'

t.test('creates the account when its code is typed, and not before', async (t) => {
  const app = await startAuth(t, mailSettings)
  const asked = await post(app, '/v1/register', { email: ` ${email} `, password })
  t.equal(asked.statusCode, 202)
  t.strictSame(Object.keys(asked.json()), ['verification_id', 'expires_in'])
  t.equal((await post(app, '/v1/login', { email, password })).statusCode, 401, 'no account yet')
  t.equal((await app.db.query('SELECT FROM users')).rowCount, 0)
  const [mail] = await readMail(app, email)
  t.match(mail, { kind: 'registration', verificationId: asked.json().verification_id })
  t.match(mail?.code, /^\d{8}$/)
  const code = `${mail?.code.slice(0, 4)} ${mail?.code.slice(4)}`
  const created = await post(app, confirm, {
    ...asked.json(),
    code,
    password,
    expires_in: undefined,
  })
  t.match(created.json(), { email, email_verified: true, roles: [] })
  t.equal(created.statusCode, 201)
  await login(app, email)
  const again = { ...(await readCode(app, email)), password }
  t.match((await post(app, confirm, again)).json(), { status: 400, code: 'code_invalid' })
})

t.test('links to a page of the configured URL, whatever Host says', async (t) => {
  const app = await startAuth(t, mailSettings)
  const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' }
  await app.inject({ method: 'POST', url: '/v1/register', headers, payload: { email } })
  const [mail] = await readMail(app, email)
  const link = new URL(mail?.link ?? '')
  t.equal(link.origin + link.pathname, 'https://app.example.com/register')
  t.equal(link.searchParams.get('code'), mail?.code)
  t.equal(link.searchParams.get('verification_id'), mail?.verificationId)
})

t.test('tells the owner of an address that has an account, and nobody else', async (t) => {
  const app = await startAuth(t, mailSettings)
  const first = await post(app, '/v1/register', { email })
  await post(app, confirm, { ...(await readCode(app, email)), password })
  const second = await post(app, '/v1/register', { email: email.toUpperCase() })
  t.equal(second.statusCode, first.statusCode)
  t.equal(second.body.length, first.body.length)
  t.match(await readMail(app, email.toUpperCase()), [{ kind: 'account-exists' }])
})

t.test('a code is of no use for the request of another client', async (t) => {
  const app = await startAuth(t, mailSettings)
  const stranger = (await post(app, '/v1/register', { email })).json()
  const owner = (await post(app, '/v1/register', { email })).json()
  const [first, second] = await readMail(app, email)
  const attempt = { verification_id: owner.verification_id, code: first?.code, password }
  t.match((await post(app, confirm, attempt)).json(), { code: 'code_invalid' })
  const own = { verification_id: owner.verification_id, code: second?.code, password }
  t.equal((await post(app, confirm, own)).statusCode, 201)
  const late = { verification_id: stranger.verification_id, code: first?.code, password }
  t.match((await post(app, confirm, late)).json(), { status: 409, code: 'email_taken' })
})

t.test('refuses a weak password without using the code up', async (t) => {
  const app = await startAuth(t, mailSettings)
  await post(app, '/v1/register', { email })
  const code = await readCode(app, email)
  const weak = await post(app, confirm, { ...code, password: 'password123' })
  t.match(weak.json(), { status: 400, code: 'password_common' })
  t.equal((await post(app, confirm, { ...code, password })).statusCode, 201)
})

t.test('an expired code is refused, and forgotten', async (t) => {
  const app = await startAuth(t, mailSettings)
  await post(app, '/v1/register', { email })
  const code = await readCode(app, email)
  await app.db.query(`UPDATE pending_registrations SET expires_at = now() - interval '1 s'`)
  const late = await post(app, confirm, { ...code, password })
  t.match(late.json(), { status: 400, code: 'code_invalid' })
})

t.test('of 500 parallel confirmations over three instances one succeeds', async (t) => {
  const config = await createConfig(t, mailSettings)
  const [app, ...others] = await Promise.all([
    startInstance(t, config),
    startInstance(t, config),
    startInstance(t, config),
  ])
  await post(app, '/v1/register', { email })
  const body = { ...(await readCode(app, email)), password }
  const replies = await Promise.all(
    Array.from({ length: 500 }, (_, index) =>
      post([app, ...others][index % 3] ?? app, confirm, body),
    ),
  )
  const count = (status: number) => replies.filter((reply) => reply.statusCode === status).length
  t.equal(count(201), 1)
  // The others have come too late, or while the hash queue was full, or after too many guesses.
  t.equal(count(400) + count(503) + count(429), 499)
  t.equal((await app.db.query('SELECT FROM users')).rowCount, 1)
  t.equal((await post(app, confirm, body)).statusCode, 400, 'and nobody later')
})

t.test('guesses at a code are slowed as those at a password', async (t) => {
  const app = await startAuth(t, mailSettings)
  await post(app, '/v1/register', { email })
  const { verification_id, code } = await readCode(app, email)
  const guesses = Array.from({ length: 40 }, (_, index) => String(index).padStart(8, '0'))
  const replies = await Promise.all(
    guesses
      .filter((guess) => guess !== code)
      .map((guess) => post(app, confirm, { verification_id, code: guess, password })),
  )
  const checked = replies.filter((reply) => reply.statusCode === 400).length
  t.ok(checked >= 10 && checked < 20, `${checked} of 40 were checked`)
  const limited = replies.find((reply) => reply.statusCode === 429)
  t.match(limited?.json(), { code: 'too_many_failures' })
  await app.db.query(`UPDATE login_failures SET retry_at = '-infinity'`)
  t.equal((await post(app, confirm, { verification_id, code, password })).statusCode, 201)
})

t.test('mails no more than ten codes an hour to one address, and does not tell', async (t) => {
  const app = await startAuth(t, mailSettings)
  for (let index = 0; index < 12; index += 1) {
    t.equal((await post(app, '/v1/register', { email })).statusCode, 202)
  }
  t.equal((await readMail(app, email)).length, 10)
})

t.test('closed registration is refused; open registration needs a password', async (t) => {
  const closed = await startAuth(t, { LATCHKEY_REGISTRATION: 'closed' })
  const refused = await post(closed, '/v1/register', { email, password })
  t.match(refused.json(), { status: 403, code: 'registration_closed' })
  const open = await startAuth(t, { ...mailSettings, LATCHKEY_REGISTRATION: 'open' })
  t.match((await post(open, '/v1/register', { email })).json(), { code: 'invalid_request' })
  const created = await post(open, '/v1/register', { email, password })
  t.match(created.json(), { email, email_verified: false })
})

t.test('does not start with settings that contradict each other', async (t) => {
  const starts = (settings: object) => startAuth(t, settings)
  await t.rejects(starts({ LATCHKEY_REGISTRATION: 'verified' }), { message: /LATCHKEY_SMTP_URL/ })
  const { LATCHKEY_SMTP_URL } = mailSettings
  await t.rejects(starts({ LATCHKEY_SMTP_URL }), { message: /LATCHKEY_MAIL_FROM is not set/ })
})
