import { randomBytes } from 'node:crypto'
import { mkdtempSync, renameSync, rmSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createVerifier, type HmacKey, type KeyringError, openKeyring } from '../src/index.ts'
import { mintToken } from '../src/testing.ts'

const rounds = 1_000
const issuer = 'https://sso.test'

interface Jwk {
  [member: string]: unknown
}

const jwk = (kid: string): Jwk => ({
  kty: 'oct',
  kid,
  alg: 'HS256',
  k: randomBytes(32).toString('base64url'),
})
const good = [jwk('one'), jwk('two'), { ...jwk('three'), use: 'latchkey:refresh' }]
const text = JSON.stringify({ keys: good })

const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)] as T
const withKey = (change: (key: Jwk) => Jwk) =>
  JSON.stringify({ keys: [change({ ...(good[0] as Jwk) }), ...good.slice(1)] })
const wrongValues = [null, 0, 1.5, true, [], {}, '']

/** Random ways to break the file, each certain to break it. */
const corruptions: Record<string, () => string | undefined> = {
  truncated: () => text.slice(0, Math.floor(Math.random() * (text.length - 1))),
  empty: () => pick(['', ' ', '\n', '\0', '{}', '[]', 'null', '{"keys":[]}']),
  'with a wrong type': () =>
    withKey((key) => ({ ...key, [pick(['kty', 'k', 'kid', 'alg'])]: pick(wrongValues) })),
  'without a member': () => withKey(({ [pick(['kty', 'k', 'kid'])]: _, ...rest }) => rest),
  'with a duplicate key ID': () =>
    JSON.stringify({ keys: [...good, { ...jwk(pick(['one', 'two', 'three'])) }] }),
  'with a control character': () => {
    const at = Math.floor(Math.random() * text.length)
    return `${text.slice(0, at)}${pick(['\u0000', '\u0007', '\u001f'])}${text.slice(at + 1)}`
  },
  'with a weak secret': () =>
    withKey((key) => ({
      ...key,
      k: randomBytes(Math.floor(Math.random() * 32)).toString('base64url'),
    })),
  unreadable: () => undefined,
}

t.test(
  `reports each of ${rounds} corruptions of the file, and keeps verifying with the old keys`,
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'latchkey-corruption-'))
    const file = join(folder, 'keys.json')
    writeFileSync(file, text)
    // Reads the file a thousand times as often as the usual once a second.
    const { setTimeout: realSetTimeout } = globalThis
    t.intercept(globalThis, 'setTimeout', {
      value: (work: () => void, ms?: number) => realSetTimeout(work, ms === 1_000 ? 1 : ms),
    })
    const errors: KeyringError[] = []
    let reloads = 0
    const keyring = openKeyring(file, {
      onError: (err) => errors.push(err),
      onReload: () => reloads++,
    })
    t.teardown(() => {
      keyring.close()
      rmSync(folder, { recursive: true })
    })
    const before = keyring.current
    const ring = () =>
      keyring.current.keys.map((key) => `${key.kid} ${'secret' in key && key.secret}`).join()
    const ringBefore = ring()
    const verifier = createVerifier({ keys: keyring, issuer, audience: 'x', cache: false })
    const token = () => mintToken({ key: before.signing as HmacKey, issuer, audience: 'x' })
    const until = async (condition: () => boolean) => {
      for (let i = 0; i < 2_000 && !condition(); i++) await sleep(1)
      return condition()
    }

    for (let round = 0; round < rounds; round++) {
      const [kind, corrupt] = pick(Object.entries(corruptions))
      const broken = corrupt()
      const reported = errors.length
      if (broken === undefined) {
        unlinkSync(file)
        if (round % 2) symlinkSync('nowhere', file)
      } else if (round % 2) {
        writeFileSync(`${file}.new`, broken)
        renameSync(`${file}.new`, file)
      } else {
        writeFileSync(file, broken)
      }
      if (!(await until(() => errors.length > reported)))
        t.fail(`a file ${kind} was not reported: ${broken}`)
      if (ring() !== ringBefore) t.fail(`a file ${kind} was loaded: ${broken}`)
      if (!verifier.check(token()).ok) t.fail(`a file ${kind} stopped verification`)
      const reloadsBefore = reloads
      rmSync(file, { force: true })
      writeFileSync(`${file}.new`, text)
      renameSync(`${file}.new`, file)
      // Without this wait, the same corruption twice in a row would be reported only once.
      if (!(await until(() => reloads > reloadsBefore))) t.fail('the restored file was not loaded')
      if (!verifier.check(token()).ok) t.fail('the restored file does not verify')
    }
    t.ok(errors.length >= rounds, `${errors.length} errors counted`)
    for (const { message } of errors) {
      for (const { k } of good)
        if (message.includes(String(k))) t.fail('a message contains a secret')
    }
  },
)
