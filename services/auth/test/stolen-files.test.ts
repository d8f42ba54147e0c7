// The table "What a stolen file allows" of docs/threat-model.md, tried.
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Service } from '@latchkey/service-kit'
import {
  createVerifier,
  type EcKey,
  openKeyring,
  parseKeySet,
  type ServiceKey,
  signClientAssertion,
} from '@latchkey/verify'
import { mintToken } from '@latchkey/verify/testing'
import t, { type Test } from 'tap'
import { deriveServiceSecret } from '../src/keys/jwk.ts'
import { createRefreshTokens } from '../src/sessions/refresh-token.ts'
import { latchkey } from './command.ts'
import {
  as,
  claimsOf,
  createConfig,
  issuer,
  login,
  refresh,
  register,
  startInstance,
} from './support.ts'

type Jwk = Record<string, string>

/** What a thief with a file can do. */
interface Powers {
  /** A token of any user, which other services accept. */
  forgesAccessTokens: boolean
  /** A token that the API of auth accepts, which compares it with the database. */
  forgesTokensForAuth: boolean
  refreshesSessions: boolean
  /** The services in whose names it reads the feed and reports keys. */
  speaksAs: string[]
  readsKeysStatus: boolean
}

/** Starts auth with key files made by the operator's command. */
async function start(t: Test, alg: 'HS256' | 'ES256') {
  const folder = t.testdir()
  const [keys, serviceKeys] = [join(folder, 'keys.json'), join(folder, 'services')]
  const generated = await latchkey(
    ...['keys', 'generate', '--alg', alg, '--out', keys],
    ...['--service-keys', serviceKeys, '--service', 'orders', 'billing'],
  )
  if (generated.code !== 0) throw new Error(generated.stderr)
  const app = await startInstance(t, await createConfig(t, { LATCHKEY_KEYS_FILE: keys }))
  const fileOf = (service: string) => join(serviceKeys, service, 'keys.json')
  const billing = createVerifier({
    keys: openVerifiersKeys(t, fileOf('billing')),
    issuer,
    audience: 'billing',
  })
  return { app, keys, fileOf, billing }
}

function openVerifiersKeys(t: Test, file: string) {
  const keyring = openKeyring(file)
  t.teardown(() => keyring.close())
  return keyring
}

/** The secrets that a file contains, or that can be derived from what it contains. */
const secretsOf = (jwks: Jwk[]): [kid: string, secret: Uint8Array][] =>
  jwks.flatMap(({ kid = '', k, d, x, y, n }) =>
    [k, d, x, y, n]
      .filter((text) => text !== undefined)
      .flatMap((text): [string, Uint8Array][] => [
        [kid, Buffer.from(text, 'base64url')],
        [kid, Buffer.from(text)],
      ]),
  )

/** Every token that can be made with the content of a file. */
function forge(jwks: Jwk[], kids: string[], claims: Record<string, unknown>): string[] {
  const options = { issuer, audience: ['billing', 'latchkey:auth'], claims }
  const pairs = jwks
    .filter(({ kty, d }) => kty === 'EC' && d)
    .map((jwk) => parseKeySet(JSON.stringify({ keys: [jwk] })).signing)
  return kids.flatMap((kid) => [
    ...secretsOf(jwks).flatMap(([, secret]) =>
      ['HS256', 'ES256'].map((alg) =>
        mintToken({ ...options, key: { kid, secret }, header: { alg, kid } }),
      ),
    ),
    ...pairs.map((pair) => mintToken({ ...options, key: pair as EcKey, header: { kid } })),
    mintToken({ ...options, key: { kid, secret: new Uint8Array(32) }, fault: 'unsigned' }),
  ])
}

/** Tries everything with a file. */
async function tryFile(
  { app, billing }: { app: Service; billing: { check(token: string): { ok: boolean } } },
  jwks: Jwk[],
): Promise<Powers> {
  const victim = await login(app, await register(app))
  const { sub, sid } = claimsOf(victim.access_token)
  const kids = app.keyring.current.keys.map(({ kid }) => kid)
  const forged = forge(jwks, kids, { sub, sid, roles: ['admin'] })
  const plain = forge(jwks, kids, { sub, sid, roles: [], scope: 'orders:read orders:write' })
  const isAccepted = async (token: string) =>
    (await as(app, token, 'GET', '/v1/me')).statusCode === 200

  const refreshed = secretsOf(jwks).map(([kid, secret]) => {
    const { signing, roots } = app.keyring.current
    const current = {
      signing,
      keys: [signing],
      serviceKeys: [],
      roots,
      idTokenKeys: [],
      refresh: { kid, alg: 'HS256', secret },
    } as const
    const tokens = createRefreshTokens({ current, subscribe: () => () => {}, close() {} })
    return refresh(app, tokens.format({ sessionId: sid, generation: 0 }))
  })

  const speaksAs: string[] = []
  const send = async (service: string, path: string) => {
    for (const root of app.keyring.current.roots) {
      const kid = `${root.kid}/${service}`
      const secrets = secretsOf(jwks).map(([, secret]) => secret)
      const derived = secrets.map((secret) => deriveServiceSecret(secret, service))
      for (const secret of [...secrets, ...derived]) {
        const key: ServiceKey = { kid, alg: 'HS256', service, secret }
        const headers = { authorization: `Bearer ${await signClientAssertion(key, issuer)}` }
        if ((await app.inject({ url: path, headers })).statusCode === 200) return true
      }
    }
    return false
  }
  for (const service of ['orders', 'billing', 'auth']) {
    if (await send(service, `/v1/revocations?instance=thief&kids=${kids}`)) speaksAs.push(service)
  }
  const statuses = await Promise.all(refreshed)
  return {
    forgesAccessTokens: forged.some((token) => billing.check(token).ok),
    forgesTokensForAuth: (await Promise.all(plain.map(isAccepted))).some(Boolean),
    refreshesSessions: statuses.some(({ statusCode }) => statusCode === 200),
    speaksAs,
    readsKeysStatus: await send('operator', '/v1/keys/status'),
  }
}

const readJwks = async (file: string): Promise<Jwk[]> =>
  JSON.parse(await readFile(file, 'utf8')).keys

const nothing: Powers = {
  forgesAccessTokens: false,
  forgesTokensForAuth: false,
  refreshesSessions: false,
  speaksAs: [],
  readsKeysStatus: false,
}
const everything: Powers = {
  forgesAccessTokens: true,
  forgesTokensForAuth: true,
  refreshesSessions: true,
  speaksAs: ['orders', 'billing', 'auth'],
  readsKeysStatus: true,
}
/** With HS256, a verifier can sign. For auth the token must be of an open session and its owner. */
const sharedSecret = { forgesAccessTokens: true, forgesTokensForAuth: true }

for (const alg of ['HS256', 'ES256'] as const) {
  t.test(`${alg}: the file of auth allows everything`, async (t) => {
    const started = await start(t, alg)
    t.strictSame(await tryFile(started, await readJwks(started.keys)), everything)
  })

  t.test(`${alg}: the file of orders allows what orders may, and no more`, async (t) => {
    const started = await start(t, alg)
    const powers = await tryFile(started, await readJwks(started.fileOf('orders')))
    const expected = { ...nothing, ...(alg === 'HS256' && sharedSecret), speaksAs: ['orders'] }
    t.strictSame(powers, expected)
  })

  t.test(`${alg}: the published keys allow nothing`, async (t) => {
    const started = await start(t, alg)
    const published = await started.app.inject('/.well-known/jwks.json')
    t.match(published.headers['content-type'], /^application\/jwk-set\+json/)
    t.match(published.headers['cache-control'], /^public, max-age=60$/)
    const { keys } = published.json()
    t.equal(keys.length, alg === 'ES256' ? 2 : 1, 'that of ID tokens is among them')
    t.strictSame(await tryFile(started, keys), nothing)
  })
}
