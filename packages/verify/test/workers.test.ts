import { readFile } from 'node:fs/promises'
import { stripTypeScriptTypes } from 'node:module'
import { Miniflare } from 'miniflare'
import t, { type Test } from 'tap'
import { createRevocationFeed } from '../src/fetch.ts'
import { createKey, createKeySet } from '../src/keys/keyring.ts'
import { createTestKey, createTestKeyPair, mintToken } from '../src/testing.ts'
import { collectImports, src } from './imports.ts'
import { listen } from './listen.ts'

const issuer = 'https://sso.test'
const key = createTestKey()

/** The handler of a worker that has a `verifier`. */
const answering = `
export default {
  async fetch(request) {
    const result = await verifier.authenticate(request)
    return result.ok ? new Response('accepted') : result.response
  },
}`

/** Creates the verifier and its feed where no request is under way. */
const worker = (url: string) => `
import { createVerifier } from './fetch.js'
const secret = Uint8Array.from(${JSON.stringify([...key.secret])})
const verifier = createVerifier({
  keys: [{ kid: '${key.kid}', secret }], issuer: '${issuer}', audience: 'orders',
  revocations: { url: '${url}', pollIntervalMs: 100 },
})
${answering}`

/** Starts a worker. Returns a function that sends it a token, and resolves with its answer. */
async function startWorker(t: Test, script: string): Promise<(token: string) => Promise<string>> {
  const names = ['fetch.ts', ...(await collectImports('fetch.ts'))]
  const modules = await Promise.all(
    names.map(async (name) => {
      const code = stripTypeScriptTypes(await readFile(new URL(name, src), 'utf8'))
      const path = name.replace(/\.ts$/, '.js')
      const contents = code.replace(/(from '[^']+)\.ts'/g, "$1.js'")
      return { type: 'ESModule' as const, path, contents }
    }),
  )
  const miniflare = new Miniflare({
    compatibilityDate: '2026-01-01',
    modules: [{ type: 'ESModule', path: 'worker.js', contents: script }, ...modules],
  })
  t.teardown(() => miniflare.dispose())
  return async (token) => {
    const headers = { authorization: `Bearer ${token}` }
    return (await miniflare.dispatchFetch('http://orders/', { headers })).text()
  }
}

t.test('a feed sends nothing when it is created: no request may be under way then', async (t) => {
  let polls = 0
  t.intercept(globalThis, 'fetch', {
    value: async () => {
      polls += 1
      return Response.json({ cursor: 1, more: false, now: 1, sessions: [], subjects: [] })
    },
  })
  const keys = { current: createKeySet([createKey(key.kid, key.secret)]) }
  const url = 'http://auth.test'
  const feed = createRevocationFeed({ url, keys, issuer, service: 'orders', instance: 'edge' })
  await feed.refresh()
  await feed.refresh()
  t.equal(polls, 1)
})

t.test('refuses a revoked token in Cloudflare Workers', async (t) => {
  const revoked: string[] = []
  const url = await listen(t, (_req, res) => {
    const sessions = revoked.map((sid) => [sid, Date.now() / 1000 + 1000])
    const now = Date.now() / 1000
    res.end(JSON.stringify({ cursor: revoked.length, more: false, now, sessions, subjects: [] }))
  })
  const send = await startWorker(t, worker(url))
  const ask = (sid: string) => send(mintToken({ key, issuer, audience: 'orders', claims: { sid } }))
  revoked.push('early')
  t.match(await ask('early'), /token_revoked/, 'at the first request')
  t.equal(await ask('late'), 'accepted')
  revoked.push('late')
  for (let i = 0; i < 200 && (await ask('late')) === 'accepted'; i++);
  t.match(await ask('late'), /token_revoked/, 'after a later poll')
})

t.test('verifies with public keys in Cloudflare Workers, and follows no redirect', async (t) => {
  const pair = createTestKeyPair('published')
  const { kid, alg, x, y } = pair
  const url = await listen(t, (req, res) => {
    if (req.url === '/elsewhere') return res.writeHead(302, { location: '/' }).end()
    res.end(JSON.stringify({ keys: [{ kty: 'EC', crv: 'P-256', kid, alg, x, y }] }))
  })
  const worker = (jwks: string) => `
    import { createVerifier } from './fetch.js'
    const keys = { jwks: '${jwks}', onError: () => {} }
    const verifier = createVerifier({ keys, issuer: '${issuer}', audience: 'orders' })
    ${answering}`
  const token = mintToken({ key: pair, issuer, audience: 'orders' })
  const send = await startWorker(t, worker(url))
  t.equal(await send(token), 'accepted', 'at the first request')
  t.equal(await send(token), 'accepted', 'in another one')
  const unknown = mintToken({ key: createTestKeyPair('unknown'), issuer, audience: 'orders' })
  t.match(await send(unknown), /token_unknown_key/)
  const redirected = await startWorker(t, worker(`${url}/elsewhere`))
  t.match(await redirected(token), /keys_unavailable/)
})
