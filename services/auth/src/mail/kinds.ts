/** The kinds of mail; each has templates of the same name. */
export const mailKinds = [
  /** To a new address: a code that confirms it. */
  'registration',
  /** To an address that asked for an account and has one. */
  'account-exists',
  'password-reset',
  /** To a user whom an admin created. */
  'set-password',
  'password-changed',
  /** To the new address: a code that confirms it. */
  'email-change',
  /** To a new address that has an account already. */
  'email-taken',
  /** To the old address: a code that undoes the change. */
  'email-changed',
] as const

/**
 * The kind of a row of the outbox. `none` is written for an unknown address, so that the request
 * takes as long; it is deleted without being sent.
 */
export type MailKind = (typeof mailKinds)[number] | 'none'

/** What a mail says beyond the text of its template. */
export interface MailContent {
  /** 8 digits. */
  code?: string
  verificationId?: string
  link?: string | undefined
  /** When the code expires. */
  expiresAt?: Date
}
