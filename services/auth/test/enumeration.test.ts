import t, { type Test } from 'tap'
import { mailSettings } from './mail-support.ts'
import {
  createConfig,
  interceptStatements,
  login,
  password,
  register,
  startInstance,
} from './support.ts'

/** Statements that instances run at any time; housekeeping's have no name. */
const background = /^(verifier_report|signing_key_report|revocation_list|mail_.*|)$/

/** An address of the same length that has no account. */
const toUnknown = (known: string) => known.replace('user', 'miss')

/** An instance that verifies registrations, with users, and a function that sends it a request. */
async function start(t: Test) {
  const config = await createConfig(t, mailSettings)
  const open = await startInstance(t, { ...config, LATCHKEY_REGISTRATION: 'open' })
  const known = await register(open)
  const { access_token: token } = await login(open, await register(open))
  const app = await startInstance(t, config)
  let statements: string[] = []
  interceptStatements(t, app, (name, run) => {
    if (!background.test(name)) statements.push(name)
    return run()
  })

  /** @returns what a client sees, and the names of the statements that it has caused */
  async function observe(url: string, payload: object, authorization?: string) {
    statements = []
    const reply = await app.inject({
      method: 'POST',
      url,
      payload,
      remoteAddress: '203.0.113.9',
      headers: { ...(authorization && { authorization }) },
    })
    const { date: _, 'x-request-id': id, ...headers } = reply.headers
    // Limits have a header each; those that count down may have passed a second.
    const limits = { 'x-ratelimit-remaining': '', 'x-ratelimit-reset': '' }
    const visible = { ...headers, ...('x-ratelimit-limit' in headers && limits) }
    const { verification_id, ...body } = reply.json()
    if (verification_id !== undefined) body.verification_id = verification_id.length
    if (body.request_id === id) body.request_id = ''
    const { statusCode: status } = reply
    return { status, headers: visible, body, statements, verificationId: verification_id }
  }
  return { app, known, unknown: toUnknown(known), authorization: `Bearer ${token}`, observe }
}

type Started = Awaited<ReturnType<typeof start>>

const flows: Record<string, (started: Started, email: string) => ReturnType<Started['observe']>> = {
  'a registration': ({ observe }, email) => observe('/v1/register', { email, password }),
  'a login with a wrong password': ({ observe }, email) =>
    observe('/v1/login', { email, password: 'wrong' }),
  'a password reset': ({ observe }, email) => observe('/v1/password-reset', { email }),
  'a change of address': ({ observe, authorization }, email) =>
    observe('/v1/me/email', { email, password }, authorization),
}

for (const [name, request] of Object.entries(flows)) {
  t.test(`${name} is answered alike, by the same statements, for any address`, async (t) => {
    const started = await start(t)
    // Twice: the second request finds what the first has stored.
    for (const _ of [1, 2]) {
      const known = await request(started, started.known)
      const unknown = await request(started, started.unknown)
      t.ok(known.statements.length > 1)
      t.strictSame(
        { ...unknown, verificationId: '' },
        { ...known, verificationId: '' },
        'only what is random differs',
      )
    }
  })
}

t.test('guesses at codes are limited alike for any address', async (t) => {
  const { app, known, unknown, observe } = await start(t)
  const reset = async (email: string) =>
    (await observe('/v1/password-reset', { email })).verificationId
  const guess = (verification_id: string) => {
    const code = { verification_id, code: '00000000', password }
    return observe('/v1/password-reset/confirm', code)
  }
  const attempt = async (email: string) => {
    await app.db.query('DELETE FROM login_failures')
    const replaced = await reset(email)
    const first = await reset(email)
    const guesses = [await guess(replaced), await guess(first)]
    for (let i = 0; i < 10; i += 1) await observe('/v1/login', { email, password: 'wrong' })
    const second = await reset(email)
    guesses.push(await guess(second), await guess(first))
    return guesses.map(({ status, body: { code }, statements }) => ({ status, code, statements }))
  }
  const seen = await attempt(known)
  t.match(seen, [{ code: 'code_invalid' }, {}, { code: 'too_many_failures' }, {}])
  t.strictSame(await attempt(unknown), seen)
})
