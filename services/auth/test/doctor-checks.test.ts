import t from 'tap'
import { checkClocks } from '../src/cli/doctor/clocks.ts'
import { checkConnections, checkPooler } from '../src/cli/doctor/connections.ts'
import type { Finding } from '../src/cli/doctor/finding.ts'
import { checkKeys } from '../src/cli/doctor/keys.ts'
import { checkAuth, checkTrustProxy } from '../src/cli/doctor/proxies.ts'
import { checkReplication } from '../src/cli/doctor/replication.ts'
import { checkSchema } from '../src/cli/doctor/schema.ts'
import type { Server, Standby } from '../src/cli/doctor/server-store.ts'
import { checkDatabaseUrl, checkSettings } from '../src/cli/doctor/settings.ts'
import { createIdTokenJwk, createRootJwk, createTokenJwk } from '../src/keys/jwk.ts'
import { issuer } from './support.ts'

const codes = (findings: Finding[]) => findings.map(({ level, code }) => `${level} ${code}`)

const server: Server = {
  version: '18.1',
  nowSeconds: 0,
  isInRecovery: false,
  isReadOnly: false,
  role: 'auth',
  timeline: 1,
  fsync: 'on',
  fullPageWrites: 'on',
  synchronousCommit: 'on',
  synchronousStandbyNames: '',
  statementTimeoutMs: 0,
  maySeeStandbys: true,
}
const standby = (syncState: string | null): Standby => ({
  name: 'b',
  state: 'streaming',
  syncState,
})

t.test('tells whether a failover can lose what was acknowledged', async (t) => {
  const check = (standbys: Standby[], changes: Partial<Server> = {}) =>
    codes(checkReplication({ ...server, ...changes }, standbys))
  const names = { synchronousStandbyNames: 'ANY 1 (b, c)' }
  t.strictSame(check([]), ['ok standby_none'])
  t.strictSame(check([standby('async')]), ['warning standby_asynchronous'])
  t.strictSame(check([standby('quorum')], names), ['ok standby_synchronous'])
  t.strictSame(check([standby('potential')], names), ['error synchronous_standby_missing'])
  t.strictSame(check([standby('sync')], { synchronousStandbyNames: 'FIRST 2 (b, c)' }), [
    'error synchronous_standby_missing',
  ])
  t.strictSame(check([standby(null)], { ...names, maySeeStandbys: false }), [
    'warning standbys_hidden',
  ])
  t.strictSame(check([standby('sync')], { ...names, synchronousCommit: 'local' }), [
    'warning synchronous_commit_off',
    'ok standby_synchronous',
  ])
  t.strictSame(check([], { fsync: 'off', fullPageWrites: 'off' }), [
    'error fsync_off',
    'error full_page_writes_off',
    'ok standby_none',
  ])
  t.strictSame(check([], { isInRecovery: true, isReadOnly: true }), ['error server_in_recovery'])
})

t.test('compares the connections with what the pools of auth may open', async (t) => {
  const check = (used: number, poolMax?: number) =>
    codes(checkConnections({ limit: 97, used, usedByInstances: 4 }, { instances: 3, poolMax }))
  t.strictSame(check(20), ['ok connections'])
  t.strictSame(check(72), ['warning connections_too_few'])
  t.strictSame(check(90, 3), ['warning connections_nearly_used'])
  t.strictSame(check(20, 100), ['warning connections_too_few'])
  t.strictSame(codes(checkPooler(server, 'transaction')), ['warning statement_timeout_unset'])
  t.strictSame(checkPooler({ ...server, statementTimeoutMs: 4_000 }, 'transaction'), [])
})

t.test('finds keys to rotate, to retire and to restore', async (t) => {
  const now = new Date('2026-11-26')
  const kids = ['2024-01-01-a', '2026-10-01-b', '2026-11-25-c']
  const tokenKeys = kids.map((kid) => createTokenJwk(kid, 'HS256'))
  const set = { keys: [...tokenKeys, createRootJwk('root')] }
  const seen = { ageSeconds: 1, clockAheadSeconds: 0 }
  const auth = { service: 'auth', instance: 'auth-1', kids: [...kids, 'root'], ...seen }
  const two = [...kids.slice(0, 2), 'root/orders']
  const orders = { service: 'orders', instance: 'orders-1', kids: two, ...seen }
  const check = (verifiers: (typeof auth)[], live: [string, number][] = []) =>
    codes(checkKeys(set, { verifiers, live: new Map(live) }, now)).filter(
      (code) => code !== 'ok key_known',
    )
  const old = ['warning signing_key_old', 'warning key_idle']
  t.strictSame(check([auth, { ...orders, kids }]), old)
  t.strictSame(check([auth, orders]), ['warning key_missing', ...old])
  t.strictSame(check([auth, { ...orders, kids: kids.toReversed() }]), [
    'warning signing_key_differs',
    ...old,
  ])
  t.strictSame(check([auth]), ['warning verifiers_silent', ...old])
  t.strictSame(check([{ ...orders, kids }]), ['error auth_silent', ...old])
  t.strictSame(
    check(
      [auth, { ...orders, kids }],
      [
        ['2026-10-01-b', 60],
        ['gone', 60],
      ],
    ),
    ['warning live_key_lost', 'warning signing_key_old'],
  )
  t.strictSame(check([auth, { ...auth, kids }, { ...orders, kids }]), [
    'error root_key_lacking',
    ...old,
  ])
  const withoutRoot = checkKeys({ keys: tokenKeys }, { verifiers: [auth], live: new Map() }, now)
  t.match(codes(withoutRoot), ['warning root_key_missing'])
})

t.test('finds an auth instance that lacks a key for ID tokens', async (t) => {
  const idTokenKeys = ['new', 'old'].map(createIdTokenJwk)
  const set = { keys: [createTokenJwk('a', 'HS256'), createRootJwk('root'), ...idTokenKeys] }
  const seen = { ageSeconds: 1, clockAheadSeconds: 0 }
  const orders = { service: 'orders', instance: 'orders-1', kids: ['a', 'root/orders'], ...seen }
  const check = (...kids: string[]) => {
    const auth = { service: 'auth', instance: 'auth-1', kids: ['a', 'root', ...kids], ...seen }
    return codes(checkKeys(set, { verifiers: [auth, orders], live: new Map() }))
  }
  const known = ['ok key_known', 'ok id_token_key']
  t.strictSame(check('new', 'old'), known)
  t.strictSame(check('old'), ['error id_token_key_lacking', ...known])
  t.strictSame(check('new'), ['warning id_token_key_lacking', ...known])
  t.strictSame(check('new', 'old', 'other'), ['warning key_unknown', ...known])
})

t.test('judges clocks by what verifiers tolerate', async (t) => {
  const check = (aheadSeconds: number) =>
    codes(checkClocks([{ name: 'a', comparedWith: 'b', aheadSeconds }]))
  t.strictSame(check(-1.9), ['ok clocks'])
  t.strictSame(check(-2.1), ['warning clock_off'])
  t.strictSame(check(5.4), ['warning clock_off'])
  t.strictSame(check(5.6), ['error clock_beyond_tolerance'])
  t.strictSame(codes(checkClocks([])), ['warning clocks_not_checked'])
})

t.test('knows migrations that are missing, and those of a newer release', async (t) => {
  t.strictSame(codes(checkSchema({ pending: ['2'], unknown: ['3'] })), ['error migrations_pending'])
  t.strictSame(codes(checkSchema({ pending: [], unknown: ['3'] })), ['ok schema_newer'])
})

t.test('warns of proxies that let clients forge or share an address', async (t) => {
  t.strictSame(codes(checkTrustProxy(undefined, issuer)), ['warning trust_proxy_unset'])
  t.strictSame(checkTrustProxy(undefined, 'http://localhost:3000'), [])
  t.strictSame(codes(checkTrustProxy('2', issuer)), ['warning trust_proxy_hops'])
  t.strictSame(codes(checkTrustProxy('10.0.0.0/8', issuer)), ['ok trust_proxy'])
  const { findings, isReached } = await checkAuth('http://auth.invalid', issuer)
  t.strictSame(codes(findings), ['warning auth_unencrypted', 'error auth_unreachable'])
  t.equal(isReached, false)
})

t.test('warns of settings that are accepted and a risk', async (t) => {
  const env = {
    LATCHKEY_AUDIENCES: 'orders',
    LATCHKEY_DATABASE_URL: 'postgres://127.0.0.1:1/x',
    LATCHKEY_ISSUER: issuer,
    LATCHKEY_KEYS_FILE: 'keys.json',
    LATCHKEY_TRUST_PROXY: '10.0.0.0/8',
  }
  const check = (changes: Record<string, string>) =>
    codes(checkSettings({ ...env, ...changes })).filter((code) => code !== 'ok trust_proxy')
  t.strictSame(check({}), ['ok settings'])
  for (const [name, value, ...expected] of [
    ['LATCHKEY_ACCESS_TOKEN_TTL_SECONDS', '901', 'warning access_token_ttl'],
    ['LATCHKEY_SESSION_TTL_SECONDS', '7862400', 'warning session_ttl'],
    ['LATCHKEY_REFRESH_GRACE_SECONDS', '0', 'warning refresh_grace'],
    ['LATCHKEY_ISSUER', 'http://sso.example.com', 'warning issuer_unencrypted'],
    ['LATCHKEY_ISSUER', 'http://localhost:8080/auth', 'ok settings'],
    ['LATCHKEY_HOST', '0.0.0.0', 'warning drain'],
    ['LATCHKEY_LOG_LEVEL', 'silent', 'warning log_level'],
    ['LATCHKEY_CORS_ORIGINS', 'https://a.example http://b.example', 'warning cors_unencrypted'],
    ['LATCHKEY_LOGIN_LIMIT', '1000000', 'warning login_limit'],
    ['LATCHKEY_ARGON2_PASSES', '2', 'warning argon2_below_rfc'],
    ['LATCHKEY_ARGON2_MEMORY_KIB', '7168', 'error argon2_weak'],
  ] as const) {
    t.strictSame(check({ [name]: value }), expected, `${name}=${value}`)
  }
  t.strictSame(codes(checkSettings({})), ['ok settings_not_checked'])
})

t.test('checks that the connection to a database elsewhere is encrypted', async (t) => {
  const check = (url: string, mode?: string) => codes(checkDatabaseUrl(url, mode))
  const url = 'postgres://auth:secret@db/auth'
  t.strictSame(check(url), ['warning database_unencrypted'])
  t.strictSame(check(`${url}?sslmode=disable`, 'verify-full'), ['warning database_unencrypted'])
  t.strictSame(check(url, 'require'), ['ok database_encrypted'])
  t.strictSame(check(`${url}?sslmode=no-verify`), ['warning database_unverified'])
  for (const own of ['localhost:5432', '[::1]', '%2Fvar%2Frun%2Fpostgresql', '']) {
    t.strictSame(check(`postgres://${own}/auth`), [], own)
  }
})
