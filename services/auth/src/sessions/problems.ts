import { ProblemError } from '@latchkey/service-kit'

/** The same as that of `@latchkey/verify` (RFC 6750 section 3). */
const challenge = 'Bearer realm="latchkey"'

const unauthorized = (code: string, detail: string, parameters = '') =>
  new ProblemError(401, code, detail, { 'www-authenticate': challenge + parameters })

/** The same answer for an unknown user, a wrong password and a disabled user. */
export const invalidCredentials = () =>
  unauthorized('invalid_credentials', 'The e-mail address or the password is wrong.')

export const invalidRefreshToken = () =>
  unauthorized(
    'refresh_token_invalid',
    'The refresh token is invalid, or its session has ended. Log in again.',
  )

export const reusedRefreshToken = () =>
  unauthorized(
    'refresh_token_reused',
    'This refresh token was already used. The session was ended, because the token may have been stolen. Log in again.',
  )

/** The access token verifies, but its session has ended. Only a new login helps. */
export const sessionEnded = () =>
  unauthorized('token_revoked', 'This session has ended. Log in again.', ', error="invalid_token"')
