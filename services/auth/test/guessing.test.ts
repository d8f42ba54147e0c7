import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '@latchkey/service-kit'
import type { InjectOptions, LightMyRequestResponse } from 'fastify'
import pLimit from 'p-limit'
import t, { type Test } from 'tap'
import { hashKey } from '../src/limits/store.ts'
import { mailSettings, readCode } from './mail-support.ts'
import { createConfig, hasherOf, password, post, register, startInstance } from './support.ts'

const guesses = 2_000
const settings = {
  ...mailSettings,
  LATCHKEY_REGISTRATION: 'open',
  LATCHKEY_DATABASE_POOL_MAX: 5,
} as const

/** Five instances with one database, and how many passwords they have verified. */
async function startFive(t: Test) {
  const config = await createConfig(t, settings)
  const apps: Service[] = []
  const hashes = { count: 0 }
  for (let i = 0; i < 5; i += 1) {
    const app = await startInstance(t, config)
    const hasher = await hasherOf(app)
    const { verify } = hasher
    t.intercept(hasher, 'verify', {
      value: (...args: Parameters<typeof verify>) => {
        hashes.count += 1
        return verify(...args)
      },
    })
    apps.push(app)
  }
  return { app: apps[0] as Service, apps, hashes }
}

/**
 * Sends all guesses at the same time, and those that busy instances refuse again, a hundred at a
 * time.
 *
 * @returns the answers, and how many guesses the delays after the free ones may have allowed
 */
async function guessAll(apps: Service[], guess: (index: number) => InjectOptions) {
  const startedAt = performance.now()
  const send = (index: number) => (apps[index % apps.length] as Service).inject(guess(index))
  const replies = await Promise.all(Array.from({ length: guesses }, (_, index) => send(index)))
  // Fewer than one network may have waiting at the five instances.
  const turns = pLimit(100)
  const sendAgain = async (reply: LightMyRequestResponse, index: number) => {
    let answer = reply
    while (answer.statusCode === 503) {
      answer = await turns(send, index)
      await sleep(10) // A refusal needs no I/O: without a pause nothing else would run.
    }
    return answer
  }
  const answers = await Promise.all(replies.map(sendAgain))
  const seconds = (performance.now() - startedAt) / 1_000
  // One starts the delays of 1, 2, 4 … s; on a slow machine some of them pass meanwhile.
  return { replies: answers, delayed: 1 + Math.floor(Math.log2(seconds + 1)) }
}

const count = (replies: LightMyRequestResponse[], status: number) =>
  replies.filter(({ statusCode }) => statusCode === status).length

const loginFrom = (remoteAddress: string, email: string, secret: string): InjectOptions => ({
  method: 'POST',
  url: '/v1/login',
  remoteAddress,
  payload: { email, password: secret },
})

/** One of many networks. */
const networkOf = (index: number) => `203.0.${index >> 8}.${index & 255}`

/** The guesses at an address that were let through to be checked. */
async function countGuesses(app: Service, email: string): Promise<number> {
  const { rows } = await app.db.query('SELECT failures FROM login_failures WHERE key = $1', [
    `account:${hashKey(email)}`,
  ])
  return rows[0]?.failures ?? 0
}

/** Asserts that no delay is longer than a minute, and lets the minute pass. */
async function waitOneMinute(t: Test, app: Service) {
  const { rows } = await app.db.query(
    `SELECT key FROM login_failures WHERE retry_at > now() + interval '1 min'`,
  )
  t.strictSame(rows, [], 'no delay is longer than a minute')
  await app.db.query(`UPDATE login_failures SET retry_at = retry_at - interval '1 min'`)
}

t.test('bounds the hashes of guesses at one account from 2,000 networks', async (t) => {
  const { app, apps, hashes } = await startFive(t)
  const email = await register(app) // from 127.0.0.1
  const { replies, delayed } = await guessAll(apps, (i) => loginFrom(networkOf(i), email, 'guess'))
  t.equal(count(replies, 401) + count(replies, 429), guesses)
  t.ok(hashes.count >= 11 && hashes.count <= 10 + delayed, `${hashes.count} hashes`)

  const known = await app.inject(loginFrom('127.0.0.1', email, password))
  t.equal(known.statusCode, 200, 'the owner logs in immediately from a known network')
  await waitOneMinute(t, app)
  const elsewhere = await app.inject(loginFrom('198.51.100.7', email, password))
  t.equal(elsewhere.statusCode, 200, 'and after a minute from a new one')
})

t.test('bounds the hashes of guesses at 200 accounts from one network', async (t) => {
  const { app, apps, hashes } = await startFive(t)
  const owner = await register(app) // from 127.0.0.1
  const strangers = Array.from({ length: 199 }, (_, i) => `stranger-${i}@example.com`)
  await app.db.query(
    `INSERT INTO users (id, email, password_hash, scope, registered_from)
     SELECT gen_random_uuid(), e, password_hash, scope, registered_from
       FROM users, unnest($1::text[]) AS e`,
    [strangers],
  )
  const accounts = [owner, ...strangers]
  const guess = (i: number) => loginFrom('203.0.113.9', accounts[i % 200] as string, 'guess')
  const { replies, delayed } = await guessAll(apps, guess)
  t.equal(count(replies, 401) + count(replies, 429), guesses)
  t.ok(hashes.count >= 101 && hashes.count <= 100 + delayed, `${hashes.count} hashes`)

  const elsewhere = await app.inject(loginFrom('198.51.100.7', owner, password))
  t.equal(elsewhere.statusCode, 200, 'an owner logs in immediately from another network')
  await waitOneMinute(t, app)
  const same = await app.inject(loginFrom('203.0.113.9', strangers[0] as string, password))
  t.equal(same.statusCode, 200, 'and after a minute from the same one')
})

t.test('bounds the guesses at one mailed code from 2,000 networks', async (t) => {
  const { app, apps } = await startFive(t)
  const email = await register(app)
  await post(app, '/v1/password-reset', { email })
  const right = await readCode(app, email)
  const url = '/v1/password-reset/confirm'
  const confirm = { ...right, password: 'seven green umbrellas' }
  const wrong = (index: number) =>
    String((Number(right.code) + 1 + index) % 10 ** 8).padStart(8, '0')
  const { replies, delayed } = await guessAll(apps, (index) => ({
    method: 'POST',
    url,
    remoteAddress: networkOf(index),
    payload: { ...confirm, code: wrong(index) },
  }))
  t.equal(count(replies, 400) + count(replies, 429), guesses)
  // Not the answers: an instance that is busy answers 503 after the guess, which then is sent again.
  const checked = await countGuesses(app, email)
  t.ok(checked >= 11 && checked <= 10 + delayed, `${checked} were checked`)

  await waitOneMinute(t, app)
  t.equal((await post(app, url, confirm)).statusCode, 204, 'the code still works')
})
