/** A server to measure: `node http-server.ts open|latchkey|fastify-jwt <secret>`. */
import fastifyJwt from '@fastify/jwt'
import latchkey from '@latchkey/verify/fastify'
import { sendMessage } from 'execa'
import Fastify from 'fastify'
import { audience, issuer, kid } from './tokens.ts'

const [, , kind, secretText = ''] = process.argv
const app = Fastify()

if (kind === 'latchkey') {
  const keys = [{ kid, secret: Buffer.from(secretText) }]
  await app.register(latchkey, { keys, issuer, audience })
}
if (kind === 'fastify-jwt') {
  // As its README sets it up.
  await app.register(fastifyJwt, { secret: secretText })
  app.addHook('onRequest', async (request, reply) => {
    try {
      await request.jwtVerify()
    } catch (err) {
      reply.send(err)
    }
  })
}
app.get('/', async () => ({ hello: 'world' }))
await sendMessage(await app.listen({ port: 0, host: '127.0.0.1' }))
