import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import latchkey from '../src/fastify.ts'
import { createRevocationFeed, createVerifier, type RevocationFeedOptions } from '../src/index.ts'
import { mintToken } from '../src/testing.ts'
import { setClock } from './tokens.ts'

const issuer = 'https://sso.test'
const secret = randomBytes(32)
const kid = 'k1'
const verifier = createVerifier({ keys: [{ kid, secret }], issuer, audience: 'latchkey:auth' })
const ring = {
  current: { signing: { kid, alg: 'HS256', secret }, keys: [{ kid }, { kid: 'k2' }] },
} as unknown as RevocationFeedOptions['keys']

const page = (
  cursor: number | string,
  sessions: unknown[] = [],
  subjects: unknown[] = [],
  more = false,
) => JSON.stringify({ cursor, more, now: Date.now() / 1000, sessions, subjects })

/** A feed that polls a stand-in for the auth service. */
async function startFeed(t: Test, answer: RequestListener, options = {}) {
  const server = createServer(answer).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const polls: (Error | undefined)[] = []
  const feed = createRevocationFeed({
    url: `http://127.0.0.1:${port}/auth/`,
    keys: ring,
    issuer,
    service: 'orders',
    instance: 'orders-1',
    pollIntervalMs: 100,
    timeoutMs: 2_000,
    onPoll: (err) => polls.push(err),
    ...options,
  })
  t.teardown(() => {
    feed.close()
    server.closeAllConnections()
    server.close()
  })
  return { feed, polls }
}

const claims = (sid: string, sub = 'ada') => ({ sid, sub, iat: 1, iss: issuer, aud: 'x', exp: 2 })
const until = async (condition: () => boolean) => {
  for (let i = 0; i < 200 && !condition(); i++) await sleep(20)
}

t.test('polls as a service, with its cursor and its key IDs', async (t) => {
  const asked: string[] = []
  const { feed } = await startFeed(t, (req, res) => {
    const token = req.headers.authorization?.replace('Bearer ', '') ?? ''
    const { sub, scope, exp, iat = 0 } = verifier.verify(token)
    asked.push(
      `${req.method} ${req.url} ${req.headers['if-none-match']} ${sub} ${scope} ${exp - iat}`,
    )
    res.end(page('7.ab'))
  })
  await feed.catchUp()
  await until(() => asked.length > 1)
  const path = (after: string) => `/auth/v1/revocations?${after}instance=orders-1&kids=k1%2Ck2`
  t.equal(asked[0], `GET ${path('')} "" service:orders revocations:read 120`)
  t.equal(asked[1], `GET ${path('after=7.ab&')} "7.ab" service:orders revocations:read 120`)
})

t.test(
  'reads everything again from a server that sends numbers or refuses its cursor',
  async (t) => {
    const asked: (string | null)[] = []
    const far = Date.now() / 1000 + 1000
    const { feed } = await startFeed(t, (req, res) => {
      const after = new URL(req.url ?? '', 'http://x').searchParams.get('after')
      asked.push(after)
      if (asked.length === 1) res.end(page('7.ab'))
      else if (after === '7.ab') res.writeHead(400).end()
      else if (after === null) res.end(page(8, [['first', far]], [], true))
      else res.end(page(9, [['second', far]]))
    })
    await until(() => asked.length >= 6)
    t.strictSame(asked.slice(0, 6), [null, '7.ab', null, '8', null, '8'])
    t.ok(feed.isRevoked(claims('first')) && feed.isRevoked(claims('second')))
  },
)

t.test('reads the first page again when an older server refuses the cursor after it', async (t) => {
  const far = Date.now() / 1000 + 1000
  let refusals = 0
  const { feed } = await startFeed(t, (req, res) => {
    const isFirst = !req.url?.includes('after=')
    const cursor = isFirst ? '1.ab' : '2.cd'
    if (!isFirst && refusals++ === 0) res.writeHead(400).end()
    else if (req.headers['if-none-match'] === `"${cursor}"`) res.writeHead(304).end()
    else res.end(page(cursor, [[isFirst ? 'first' : 'second', far]], [], isFirst))
  })
  await feed.catchUp()
  t.ok(feed.isRevoked(claims('first')) && feed.isRevoked(claims('second')))
})

t.test('reads all pages without waiting in between', async (t) => {
  const far = Date.now() / 1000 + 1000
  const { feed } = await startFeed(
    t,
    (req, res) => {
      const after = Number(new URL(req.url ?? '', 'http://x').searchParams.get('after'))
      res.end(page(after + 1, [[`s${after}`, far]], [], after < 20))
    },
    { pollIntervalMs: 60_000 },
  )
  t.equal(feed.ageSeconds, Number.POSITIVE_INFINITY)
  await feed.catchUp()
  t.equal(feed.entries, 21)
  t.ok(feed.ageSeconds < 5)
  t.ok(feed.isRevoked(claims('s20')))
  t.notOk(feed.isRevoked(claims('s21')))
})

t.test('keeps revocations and reports their age while auth is unreachable', async (t) => {
  let isDown = false
  const far = Date.now() / 1000 + 1000
  const { feed, polls } = await startFeed(t, (_req, res) => {
    if (isDown) res.destroy()
    else res.end(page(polls.length + 1, [[`s${polls.length}`, far]]))
  })
  await feed.catchUp()
  isDown = true
  await until(() => polls.filter(Boolean).length >= 3)
  t.ok(feed.isRevoked(claims('s0')))
  t.ok(feed.ageSeconds > 0.3)
  isDown = false
  const failed = polls.length
  await until(() => polls.length > failed)
  t.equal(polls.at(-1), undefined)
  t.ok(feed.ageSeconds < 0.3)
})

t.test('refuses a malformed or late page as a whole, and polls again', async (t) => {
  const far = Date.now() / 1000 + 1000
  const wrong = [
    ...['', 'null', '[]', '{'],
    page(1, [['a']]),
    page(1, [['a', 'b']]),
    page(1, [[1, far]]),
    page(1, [['good', far]], [['b', far]]),
    page(1, [['good', far]]).replace(/"now":[^,]*/, '"now":"1"'),
    JSON.stringify({ cursor: 'x', more: false, sessions: [['good', far]], subjects: [] }),
    JSON.stringify({ cursor: '1.AB', more: false, sessions: [['good', far]], subjects: [] }),
    JSON.stringify({ cursor: 1, sessions: [['good', far]], subjects: [] }),
  ]
  const answers = [...wrong]
  const { feed, polls } = await startFeed(t, (_req, res) => {
    const answer = answers.shift()
    if (answer === undefined) res.end(page(5, [['right', far]]))
    else res.end(answer)
  })
  await feed.catchUp()
  t.equal(polls.filter(Boolean).length, wrong.length)
  t.notOk(feed.isRevoked(claims('good')))
  t.ok(feed.isRevoked(claims('right')))

  const slow = await startFeed(t, () => {})
  await until(() => slow.polls.length > 0)
  t.ok(slow.polls[0] instanceof Error)
  const forbidden = await startFeed(t, (_req, res) => res.writeHead(403).end())
  await until(() => forbidden.polls.length > 0)
  t.match(forbidden.polls[0]?.message, /answered 403/)
})

t.test('catches up when the auth service starts late, without waiting an interval', async (t) => {
  let asked = 0
  const { feed } = await startFeed(
    t,
    (_req, res) => (++asked < 5 ? res.writeHead(503).end() : res.end(page(1))),
    { pollIntervalMs: 60_000 },
  )
  t.equal(await feed.catchUp(1), false, 'gives up when the time is over')
  t.equal(await feed.catchUp(30_000), true)
  t.equal(asked, 5)
})

t.test('a Fastify server answers no request before it knows the revocations', async (t) => {
  const answers: (() => void)[] = []
  const far = Date.now() / 1000 + 1000
  const answer: RequestListener = (_req, res) => {
    answers.push(() => res.end(page(1, [['s1', far]])))
    if (answers.length > 3) answers.at(-1)?.()
  }
  const { feed } = await startFeed(t, answer, { timeoutMs: 100 })
  const app = Fastify()
  t.teardown(() => app.close())
  const key = { kid, secret }
  await app.register(latchkey, { keys: [key], issuer, audience: 'x', revocations: feed })
  app.get('/', async () => 'accepted')
  const token = mintToken({ key, issuer, audience: 'x', claims: { sid: 's1' } })
  const headers = { authorization: `Bearer ${token}` }
  t.match((await app.inject({ url: '/', headers })).json(), { code: 'token_revoked' })
  t.ok(answers.length > 3, 'the first polls timed out')
})

t.test('polls on when onPoll fails, and reports it', async (t) => {
  const warnings = t.capture(process, 'emitWarning')
  const mistakes: unknown[] = [new Error('a mistake'), Symbol('a symbol'), Object.create(null)]
  let polls = 0
  const onPoll = () => {
    polls += 1
    if (polls <= mistakes.length) throw mistakes[polls - 1]
    return Promise.reject(new Error('another'))
  }
  await startFeed(t, (_req, res) => (polls < 4 ? res.end(page(1)) : res.destroy()), { onPoll })
  await until(() => polls > 6)
  t.ok(polls > 6)
  const messages = warnings().map(({ args }) => String(args[0]))
  t.match(messages[0], /^onPoll of the revocation feed failed: Error: a mistake/)
  t.match(messages[1], /^onPoll of the revocation feed failed: Symbol\(a symbol\)/)
  t.match(messages[2], /^onPoll of the revocation feed failed: .* cannot be printed/)
  t.ok(messages.some((message) => message.includes('another')))
})

t.test('follows no redirect', async (t) => {
  const { polls } = await startFeed(t, (req, res) =>
    req.url?.startsWith('/other')
      ? res.end(page(1))
      : res.writeHead(307, { location: '/other' }).end(),
  )
  await until(() => polls.length > 0)
  t.match(polls[0]?.message, /answered 307/)
})

t.test('a verifier builds its feed from its own options', async (t) => {
  const asked = Promise.withResolvers<string>()
  const server = createServer((req, res) => {
    const token = req.headers.authorization?.replace('Bearer ', '') ?? ''
    asked.resolve(`${verifier.verify(token).sub} ${req.url}`)
    res.end(page(1, [['s1', Date.now() / 1000 + 1000]]))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const key = { kid, secret }
  const own = createVerifier({ keys: [key], issuer, audience: 'orders', revocations: { url } })
  t.teardown(() => {
    own.revocations?.close()
    server.closeAllConnections()
    server.close()
  })
  t.equal(await own.revocations?.catchUp(), true)
  t.match(await asked.promise, new RegExp(`^service:orders .*instance=.*-${process.pid}&kids=k1$`))
  const token = mintToken({ key, issuer, audience: 'orders', claims: { sid: 's1' } })
  t.match(own.check(token), { error: { code: 'token_revoked' } })
})

t.test('refuses tokens after a freeze that is longer than maxStaleSeconds', async (t) => {
  let isFrozen = false
  const { feed } = await startFeed(t, (_req, res) => isFrozen || res.end(page(1)))
  await feed.catchUp()
  const key = { kid, secret }
  const options = { keys: [key], issuer, audience: 'x', revocations: feed, maxStaleSeconds: 2 }
  const strict = createVerifier({ ...options, onStale: 'deny' })
  const token = mintToken({ key, issuer, audience: 'x' })
  t.ok(strict.check(token).ok)
  isFrozen = true
  const now = performance.now.bind(performance)
  t.intercept(performance, 'now', { value: () => now() + 3_500 })
  t.match(strict.check(token), { error: { code: 'revocations_stale' } })
})

t.test('forgets by the clock of the server, not by its own', async (t) => {
  const now = Date.now() / 1000
  const served = { cursor: 0, now, more: false, sessions: [['s1', now + 60]], subjects: [] }
  const { feed, polls } = await startFeed(t, (_req, res) => res.end(JSON.stringify(served)))
  await feed.catchUp()
  const polled = async () => {
    const count = polls.length
    await until(() => polls.length > count + 1)
  }
  setClock(t, now + 7_200)
  await polled()
  t.ok(feed.isRevoked(claims('s1')), 'a clock that is ahead')
  t.ok(feed.ageSeconds < 60)
  setClock(t, now - 7_200)
  await polled()
  t.ok(feed.ageSeconds >= 0, 'a clock that is behind')
  served.sessions = []
  served.now = now + 61
  await polled()
  t.equal(feed.entries, 0)
})

t.test('forgets nothing while the server does not send its time', async (t) => {
  const past = [['s1', Date.now() / 1000 - 60]]
  const served = { cursor: 1, more: false, sessions: past, subjects: [] }
  const { feed } = await startFeed(t, (_req, res) => res.end(JSON.stringify(served)))
  await feed.catchUp()
  t.ok(feed.isRevoked(claims('s1')))
})

t.test('a verifier refuses revoked tokens, cached or not, and applies onStale', async (t) => {
  const revoked = new Set<string>()
  const revocations = {
    version: 0,
    ageSeconds: Number.POSITIVE_INFINITY,
    isRevoked: ({ sid = '' }: { sid?: string }) => revoked.has(sid),
  }
  const key = { kid, secret }
  const options = { keys: [key], issuer, audience: 'orders', revocations }
  const lenient = createVerifier(options)
  const strict = createVerifier({ ...options, onStale: 'deny', maxStaleSeconds: 10 })
  const token = mintToken({ key, issuer, audience: 'orders', claims: { sid: 's1' } })
  const code = (result: ReturnType<typeof lenient.check>) => (result.ok ? 'ok' : result.error.code)

  t.equal(code(lenient.check(token)), 'ok')
  t.equal(code(strict.check(token)), 'revocations_stale')
  t.equal(code(lenient.check(token, { onStale: 'deny' })), 'revocations_stale')
  t.equal(code(strict.check(token, { onStale: 'allow' })), 'ok')
  revocations.ageSeconds = 5
  t.equal(code(strict.check(token)), 'ok')
  t.equal(code(strict.check(token, { maxStaleSeconds: 2 })), 'revocations_stale')
  revoked.add('s1')
  revocations.version++
  t.equal(code(lenient.check(token)), 'token_revoked', 'although it is cached')
  t.equal(code(strict.check(token)), 'token_revoked')
  t.throws(() => createVerifier({ ...options, onStale: 'maybe' as 'deny' }), TypeError)
  t.throws(() => createVerifier({ ...options, maxStaleSeconds: 0 }), RangeError)
})

t.test('refuses wrong options', async (t) => {
  const good = { url: 'http://127.0.0.1:9', keys: ring, issuer, service: 's', instance: 'i' }
  for (const wrong of [
    { url: 'nonsense' },
    { issuer: '' },
    { service: 1 as unknown as string },
    { instance: '' },
    { pollIntervalMs: 1 },
    { timeoutMs: Number.NaN },
    { maxAge: 5 },
    { onPoll: 'log' as never },
    { keys: [] as unknown as typeof ring },
  ]) {
    t.throws(() => createRevocationFeed({ ...good, ...wrong }).close())
  }
})
