import { ConfigError, loadConfig } from '@latchkey/service-kit'
import { type AuthConfig, settings } from '../../config.ts'
import { error, type Finding, ok, warning } from './finding.ts'
import { checkTrustProxy, isLoopback } from './proxies.ts'

const daySeconds = 86_400

/**
 * The least cost of argon2id with one lane: memory in KiB, and passes (OWASP, Password Storage
 * Cheat Sheet). The options are equally strong.
 */
const leastCosts = [
  [47_104, 1],
  [19_456, 2],
  [12_288, 3],
  [9_216, 4],
  [7_168, 5],
] as const

/** Settings that are accepted, and a risk. */
const rules: readonly [
  code: string,
  isRisky: (config: AuthConfig) => boolean,
  describe: (config: AuthConfig) => string,
][] = [
  [
    'access_token_ttl',
    (config) => config.LATCHKEY_ACCESS_TOKEN_TTL_SECONDS > 900,
    ({ LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: ttl }) =>
      `LATCHKEY_ACCESS_TOKEN_TTL_SECONDS is ${ttl}: a verifier without a revocation feed accepts a token that long after a logout. Use at most 900.`,
  ],
  [
    'session_ttl',
    (config) => config.LATCHKEY_SESSION_TTL_SECONDS > 90 * daySeconds,
    ({ LATCHKEY_SESSION_TTL_SECONDS: ttl }) =>
      `LATCHKEY_SESSION_TTL_SECONDS is ${Math.round(ttl / daySeconds)} days: a stolen refresh token works that long. Use at most 90 days.`,
  ],
  [
    'refresh_grace',
    ({ LATCHKEY_REFRESH_GRACE_SECONDS: grace }) => grace === 0 || grace > 120,
    ({ LATCHKEY_REFRESH_GRACE_SECONDS: grace }) =>
      grace === 0
        ? 'LATCHKEY_REFRESH_GRACE_SECONDS is 0: two tabs that refresh simultaneously end the session. Use 30.'
        : `LATCHKEY_REFRESH_GRACE_SECONDS is ${grace}: reuse of a stolen refresh token is noticed that late. Use 30.`,
  ],
  [
    'issuer_unencrypted',
    ({ LATCHKEY_ISSUER: issuer }) =>
      issuer.startsWith('http:') && !isLoopback(new URL(issuer).hostname),
    () => 'LATCHKEY_ISSUER is http: passwords and tokens can be read on the way. Use https.',
  ],
  [
    'drain',
    (config) => config.LATCHKEY_DRAIN_SECONDS === 0 && !isLoopback(config.LATCHKEY_HOST),
    () =>
      'LATCHKEY_DRAIN_SECONDS is 0: requests fail while a load balancer still knows an instance that stops. Use 3 or more.',
  ],
  [
    'log_level',
    ({ LATCHKEY_LOG_LEVEL: level }) => /^(silent|fatal|error|trace)$/.test(level),
    ({ LATCHKEY_LOG_LEVEL: level }) =>
      level === 'trace'
        ? 'LATCHKEY_LOG_LEVEL is trace, which slows the service down. Use info.'
        : `LATCHKEY_LOG_LEVEL is ${level}: warnings, and who changed which user, are not logged. Use info.`,
  ],
  [
    'cors_unencrypted',
    ({ LATCHKEY_CORS_ORIGINS: origins = '' }) =>
      origins
        .split(' ')
        .some((origin) => origin.startsWith('http:') && !isLoopback(new URL(origin).hostname)),
    () =>
      'LATCHKEY_CORS_ORIGINS names an http origin: a page that was changed on the way may call auth. Use https.',
  ],
  [
    'login_limit',
    (config) => config.LATCHKEY_LOGIN_LIMIT > 6_000 || config.LATCHKEY_REGISTER_LIMIT > 600,
    () =>
      'LATCHKEY_LOGIN_LIMIT or LATCHKEY_REGISTER_LIMIT is more than ten times its default: it hardly limits anyone.',
  ],
]

/** Checks the settings of auth, where they are in the environment, as in its container. */
export function checkSettings(env: NodeJS.ProcessEnv): Finding[] {
  // Auth alone requires this one.
  if (!env.LATCHKEY_AUDIENCES && !env.LATCHKEY_AUDIENCES_FILE) {
    const text = 'The settings of auth are not in this environment. To check them, run this where'
    return [ok('settings_not_checked', `${text} auth runs, for example in its container.`)]
  }
  let config: AuthConfig
  try {
    config = loadConfig(settings, env)
  } catch (err) {
    if (!(err instanceof ConfigError)) throw err
    return [error('settings_invalid', `Auth refuses to start: ${err.message}.`)]
  }
  const findings = [
    ...rules
      .filter(([, isRisky]) => isRisky(config))
      .map(([code, , describe]) => warning(code, describe(config))),
    ...checkHashCost(config),
  ]
  return [
    ...(findings.length > 0 ? findings : [ok('settings', 'No setting of auth is risky.')]),
    ...checkTrustProxy(config.LATCHKEY_TRUST_PROXY, config.LATCHKEY_ISSUER),
  ]
}

function checkHashCost(config: AuthConfig): Finding[] {
  const { LATCHKEY_ARGON2_MEMORY_KIB: memory, LATCHKEY_ARGON2_PASSES: passes } = config
  const cost = `argon2id with ${memory} KiB and ${passes} passes is below`
  if (!leastCosts.some(([least, times]) => memory >= least && passes >= times)) {
    const text = `${cost} OWASP's minimum: passwords of a leaked database are guessed too fast.`
    return [error('argon2_weak', `${text} Remove LATCHKEY_ARGON2_MEMORY_KIB and …_PASSES.`)]
  }
  if (memory >= 65_536 && passes >= 3) return []
  const text = `${cost} the second option of RFC 9106 (65536 KiB, 3 passes), the default.`
  return [warning('argon2_below_rfc', `${text} Use it if the memory allows it.`)]
}

/** Whether the connection to another host is encrypted, and the host checked. */
export function checkDatabaseUrl(url: string, pgSslMode = ''): Finding[] {
  const { hostname, searchParams } = new URL(url)
  const mode = searchParams.get('sslmode') ?? pgSslMode
  const isSocket = hostname === '' || hostname.startsWith('%2F')
  if (isSocket || isLoopback(hostname)) return []
  if (mode === 'no-verify') {
    const text = 'The database is connected with sslmode=no-verify: another server can pose as it.'
    return [warning('database_unverified', `${text} Use verify-full.`)]
  }
  const isEncrypted = !/^(|disable)$/.test(mode) || /[?&](ssl=(true|1)|sslrootcert=)/.test(url)
  if (isEncrypted) return [ok('database_encrypted', `The connection to ${hostname} uses TLS.`)]
  const text = `The connection to ${hostname} is not encrypted: passwords and hashes can be read.`
  return [warning('database_unencrypted', `${text} Add ?sslmode=verify-full.`)]
}
