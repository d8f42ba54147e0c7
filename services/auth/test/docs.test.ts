import t from 'tap'
import { startAuth } from './support.ts'

t.test(
  'serves the API page with a policy that names no other host and needs no https',
  async (t) => {
    const app = await startAuth(t, { LATCHKEY_ISSUER: 'http://sso.example.com' })
    const reply = await app.inject('/docs/')
    t.equal(reply.statusCode, 200)
    t.notMatch(reply.headers['content-security-policy'], /validator|upgrade-insecure-requests/)
    t.notOk(reply.headers['strict-transport-security'])
  },
)
