import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { stripTypeScriptTypes } from 'node:module'
import type { AddressInfo } from 'node:net'
import { Miniflare } from 'miniflare'
import t from 'tap'
import { createRevocationFeed } from '../src/fetch.ts'
import { createKey, createKeySet } from '../src/keys/keyring.ts'
import { createTestKey, mintToken } from '../src/testing.ts'
import { collectImports, src } from './imports.ts'

const issuer = 'https://sso.test'
const key = createTestKey()

/** Creates the verifier and its feed where no request is under way. */
const worker = (url: string) => `
import { createVerifier } from './fetch.js'
const secret = Uint8Array.from(${JSON.stringify([...key.secret])})
const verifier = createVerifier({
  keys: [{ kid: '${key.kid}', secret }], issuer: '${issuer}', audience: 'orders',
  revocations: { url: '${url}', pollIntervalMs: 100 },
})
export default {
  async fetch(request) {
    const result = await verifier.authenticate(request)
    return result.ok ? new Response('accepted') : result.response
  },
}`

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
  const feed = createServer((_req, res) => {
    const sessions = revoked.map((sid) => [sid, Date.now() / 1000 + 1000])
    const now = Date.now() / 1000
    res.end(JSON.stringify({ cursor: revoked.length, more: false, now, sessions, subjects: [] }))
  }).listen(0, '127.0.0.1')
  await once(feed, 'listening')
  t.teardown(() => {
    feed.closeAllConnections()
    feed.close()
  })
  const names = ['fetch.ts', ...(await collectImports('fetch.ts'))]
  const modules = await Promise.all(
    names.map(async (name) => {
      const code = stripTypeScriptTypes(await readFile(new URL(name, src), 'utf8'))
      const path = name.replace(/\.ts$/, '.js')
      const contents = code.replace(/(from '[^']+)\.ts'/g, "$1.js'")
      return { type: 'ESModule' as const, path, contents }
    }),
  )
  const url = `http://127.0.0.1:${(feed.address() as AddressInfo).port}`
  const miniflare = new Miniflare({
    compatibilityDate: '2026-01-01',
    modules: [{ type: 'ESModule', path: 'worker.js', contents: worker(url) }, ...modules],
  })
  t.teardown(() => miniflare.dispose())
  const ask = async (sid: string) => {
    const token = mintToken({ key, issuer, audience: 'orders', claims: { sid } })
    const headers = { authorization: `Bearer ${token}` }
    const response = await miniflare.dispatchFetch('http://orders/', { headers })
    return response.text()
  }
  revoked.push('early')
  t.match(await ask('early'), /token_revoked/, 'at the first request')
  t.equal(await ask('late'), 'accepted')
  revoked.push('late')
  for (let i = 0; i < 200 && (await ask('late')) === 'accepted'; i++);
  t.match(await ask('late'), /token_revoked/, 'after a later poll')
})
