// An application that uses the types. Compiled against the packed package, never run.
import { createServer } from 'node:http'
import { createVerifier } from '@latchkey/verify'
import { latchkey as guardExpress, requires } from '@latchkey/verify/express'
import latchkey from '@latchkey/verify/fastify'
import { createVerifier as createFetchVerifier } from '@latchkey/verify/fetch'
import Fastify from 'fastify'

declare module '@latchkey/verify' {
  interface Register {
    scope: 'orders:read' | 'orders:write'
    role: 'admin'
    claims: { tenant: string }
  }
}

const options = { keys: new Uint8Array(32), issuer: 'https://sso.example', audience: 'orders' }
const app = Fastify()
app.register(latchkey, options)
app.get('/', { config: { scopes: ['orders:read'], roles: ['admin'] } }, async ({ user }) => {
  const tenant: string = user.tenant
  const roles: readonly string[] | undefined = user.roles
  return { tenant, roles }
})
// @ts-expect-error a scope that is not registered
app.get('/misspelt', { config: { scopes: ['orders:rea'] } }, async () => '')
// @ts-expect-error a role that is not registered
requires({ roles: ['root'] })

const verifier = createVerifier<{ plan: number }>(options)
export const plan: number = verifier.verify('').plan
const result = verifier.check('')
export const subject: string = result.ok ? result.claims.sub : result.error.message
// @ts-expect-error claims are frozen
verifier.verify('').sub = 'root'
// @ts-expect-error `sid` may be missing
export const sid: string = verifier.verify('').sid
// @ts-expect-error keys are never a string
createVerifier({ ...options, keys: 'secret' })
// @ts-expect-error an audience is required
createVerifier({ keys: options.keys, issuer: options.issuer })
// @ts-expect-error it is asynchronous
export const claims: { sub: string } = createFetchVerifier(options).verify('')

// @ts-expect-error a misspelt member of a route's config
app.get('/typo', { config: { scope: ['orders:read'] } }, async () => '')
// @ts-expect-error as above
app.get('/typo', { config: { role: 'admin' } }, async () => '')
// @ts-expect-error as above
app.get('/typo', { config: { Public: true } }, async () => '')
// @ts-expect-error a misspelt requirement
requires({ scope: ['orders:read'] })
// @ts-expect-error as above, for the Fetch API
createFetchVerifier(options).authenticate(new Request('http://x'), { role: ['admin'] })
// @ts-expect-error an option beside a verifier would be ignored
app.register(latchkey, { verifier: createVerifier(options), audience: 'admin' })
app.register(latchkey, { ...options, publicNotFound: true, token: ({ headers }) => headers.cookie })
const guard = guardExpress({ ...options, token: (req) => req.headers.cookie })
createServer((req, res) => guard(req, res, () => res.end(req.auth.sub)))
