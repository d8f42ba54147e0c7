import { serviceSettings } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'

/** The settings of the auth service. */
export const settings = Type.Object({
  ...serviceSettings,
  /** The audiences a token opens, separated by spaces. The auth service adds itself. */
  LATCHKEY_AUDIENCES: Type.String({ pattern: '^\\S+( \\S+)*$' }),
  /** The scope of a newly registered user, separated by spaces (RFC 6749 section 3.3). */
  LATCHKEY_DEFAULT_SCOPE: Type.String({ pattern: '^(\\S+( \\S+)*)?$', default: '' }),
  /** Lifetime of an access token, in seconds. */
  LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: Type.Integer({ minimum: 5, maximum: 3_600, default: 900 }),
  /** Absolute lifetime of a session, in seconds, however often it is refreshed. */
  LATCHKEY_SESSION_TTL_SECONDS: Type.Integer({
    minimum: 3_600,
    maximum: 31_536_000,
    default: 2_592_000,
  }),
  /** How long the previous refresh token still gets the same successor, in seconds. */
  LATCHKEY_REFRESH_GRACE_SECONDS: Type.Integer({ minimum: 0, maximum: 300, default: 30 }),
  /** argon2id: memory of one hash, in KiB. The defaults are those of RFC 9106 section 4 for little memory. */
  LATCHKEY_ARGON2_MEMORY_KIB: Type.Integer({ minimum: 7_168, maximum: 1_048_576, default: 65_536 }),
  /** argon2id: passes over the memory. */
  LATCHKEY_ARGON2_PASSES: Type.Integer({ minimum: 1, maximum: 100, default: 3 }),
  /** Accounts one network may register in a minute. */
  LATCHKEY_REGISTER_LIMIT: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 60 }),
  /** Logins one network may try at one account in a minute, right or wrong. */
  LATCHKEY_LOGIN_LIMIT: Type.Integer({ minimum: 1, maximum: 1_000_000, default: 600 }),
})

/** The configuration of the auth service. */
export type AuthConfig = Static<typeof settings>
