import { ProblemError } from '@latchkey/service-kit'

export const emailTaken = () =>
  new ProblemError(409, 'email_taken', 'This e-mail address already has an account.')

/** Not 401: the token is valid, and a client would respond to a challenge by refreshing it. */
export const wrongPassword = () =>
  new ProblemError(403, 'invalid_credentials', 'The current password is wrong.')

export const lastAdmin = () =>
  new ProblemError(
    409,
    'last_admin',
    'This user is the only admin. Give another user the admin role first.',
  )
