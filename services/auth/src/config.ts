import { serviceSettings } from '@latchkey/service-kit'
import { type Static, Type } from 'typebox'

/** The largest `LATCHKEY_ACCESS_TOKEN_TTL_SECONDS`; revocations are kept at least this long. */
export const maxAccessTokenTtlSeconds = 3_600

export const settings = Type.Object({
  ...serviceSettings,
  LATCHKEY_AUDIENCES: Type.String({
    format: 'names',
    description:
      'The audiences (`aud`) of every token: the names of the services that accept it. The ' +
      'auth service adds its own.',
  }),
  LATCHKEY_DEFAULT_SCOPE: Type.String({
    format: 'scope',
    default: '',
    description: 'The scope of a newly registered user.',
  }),
  LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: Type.Integer({
    minimum: 5,
    maximum: maxAccessTokenTtlSeconds,
    default: 900,
    description: 'Lifetime of an access token, in seconds.',
  }),
  LATCHKEY_SESSION_TTL_SECONDS: Type.Integer({
    minimum: 3_600,
    maximum: 31_536_000,
    default: 2_592_000,
    description: 'Lifetime of a session, in seconds. Refreshing does not extend it.',
  }),
  LATCHKEY_REFRESH_GRACE_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 300,
    default: 30,
    description:
      'How long a replaced refresh token still gets the same successor, in seconds; at most half the lifetime of an access token.',
  }),
  LATCHKEY_ARGON2_MEMORY_KIB: Type.Integer({
    minimum: 7_168,
    maximum: 1_048_576,
    default: 65_536,
    description:
      'argon2id: memory of one hash, in KiB. The defaults are the second option of RFC 9106 ' +
      'section 4.',
  }),
  LATCHKEY_ARGON2_PASSES: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 3,
    description: 'argon2id: passes over the memory.',
  }),
  LATCHKEY_REGISTER_LIMIT: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 60,
    description: 'Accounts that one network may register per minute.',
  }),
  LATCHKEY_LOGIN_LIMIT: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 600,
    description: 'Login attempts per minute from one network to one account, successful or not.',
  }),
})

export type AuthConfig = Static<typeof settings>
