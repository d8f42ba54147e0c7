import { inTransaction } from '@latchkey/service-kit'
import t from 'tap'
import { forgetCodes } from '../src/accounts/codes-store.ts'
import { changeEmail } from '../src/accounts/store.ts'
import { mailSettings, readCode } from './mail-support.ts'
import { claimsOf, login, password, post, register, startAuth } from './support.ts'

const settings = { ...mailSettings, LATCHKEY_REGISTRATION: 'open' } as const
const fresh = 'seven green umbrellas'
const event = { action: 'test', actor: 'auth' } as const

t.test('the limits on guesses do not reveal which address has an account', async (t) => {
  const app = await startAuth(t, settings)
  const [known, disabled] = [await register(app), await register(app)]
  await app.db.query(`UPDATE users SET registered_from = '192.0.2.9'`)
  await app.db.query('UPDATE users SET disabled_at = now() WHERE email = $1', [disabled])
  for (const email of [known, disabled, 'nobody@example.com']) {
    const { verification_id } = (await post(app, '/v1/password-reset', { email })).json()
    for (let attempt = 0; attempt < 11; attempt += 1) {
      await post(app, '/v1/login', { email, password: 'wrong' })
    }
    const guess = { verification_id, code: '00000000', password: fresh }
    const reply = await post(app, '/v1/password-reset/confirm', guess)
    t.match(reply.json(), { code: 'too_many_failures' }, email)
  }
})

t.test('a reset requested while the address changes is of no use to the old one', async (t) => {
  const app = await startAuth(t, settings)
  const email = await register(app)
  const { sub: userId } = claimsOf((await login(app, email)).access_token)
  await inTransaction(app.db, async (transaction) => {
    await changeEmail(transaction, { userId, email: 'new@example.com', event })
    await forgetCodes(transaction, userId)
    t.equal((await post(app, '/v1/password-reset', { email })).statusCode, 202)
  })
  const body = { ...(await readCode(app, email)), password: fresh }
  const reply = await post(app, '/v1/password-reset/confirm', body)
  t.match(reply.json(), { code: 'code_invalid' })
  await login(app, 'new@example.com')
})
