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
  LATCHKEY_PRODUCT_NAME: Type.String({
    maxLength: 60,
    default: 'Latchkey',
    description: "The product's name in mails and on pages. Passwords that contain it are refused.",
  }),
  LATCHKEY_LOGO_FILE: Type.Optional(
    Type.String({
      description: 'Path of a logo for the pages: SVG or PNG, at most 64 KB. Read at start.',
    }),
  ),
  LATCHKEY_ACCENT_COLOR: Type.String({
    format: 'color',
    default: '#1a56c4',
    description:
      'Colour of buttons and links on the pages. Variants that are readable on light and on dark ' +
      'backgrounds are derived from it.',
  }),
  LATCHKEY_REGISTRATION: Type.Optional(
    Type.Enum(['verified', 'open', 'closed'], {
      description:
        'Who may create an account. `verified`: whoever types the code that is mailed to the ' +
        'address. `open`: anyone, with any address. `closed`: admins and `latchkey users create`. ' +
        'Default: `verified` where mail is configured, else `open`.',
    }),
  ),
  LATCHKEY_PASSWORD_MIN_LENGTH: Type.Integer({
    minimum: 8,
    maximum: 64,
    default: 8,
    description:
      'Fewest characters of a new password. Without a second factor NIST SP 800-63B-4 requires 15.',
  }),
  LATCHKEY_BREACHED_PASSWORDS_URL: Type.Optional(
    Type.String({
      format: 'url',
      description:
        'Base URL of a service with the range API of Have I Been Pwned, such as ' +
        '`https://api.pwnedpasswords.com`. New passwords known to it are refused; it gets five ' +
        'characters of their SHA-1 hash. When it does not answer within a second, the password ' +
        'is accepted.',
    }),
  ),
  LATCHKEY_SMTP_URL: Type.Optional(
    Type.String({
      format: 'smtp-url',
      description:
        'URL of the SMTP server that sends mail: `smtps://user:password@host:465`, or ' +
        '`smtp://user:password@host:587`, which requires STARTTLS unless the host is a loopback ' +
        'address or the URL ends with `?tls=none`. When unset, no mail is sent.',
    }),
  ),
  LATCHKEY_MAIL_FROM: Type.Optional(
    Type.String({
      format: 'mailbox',
      description:
        'Sender of all mail: `no-reply@example.com` or `Example <no-reply@example.com>`.',
    }),
  ),
  LATCHKEY_MAIL_TEMPLATES: Type.Optional(
    Type.String({
      description:
        'Folder with mail templates that replace the built-in ones of the same file name.',
    }),
  ),
  LATCHKEY_PAGES_URL: Type.Optional(
    Type.String({
      format: 'url',
      description:
        'URL of the pages that mail links to: `<url>/register`, `/reset` and `/account`. Default: ' +
        "`LATCHKEY_ISSUER`, for auth's own pages.",
    }),
  ),
  LATCHKEY_AUDIT_RETENTION_DAYS: Type.Integer({
    minimum: 30,
    maximum: 3_650,
    default: 365,
    description: 'How long audit events are kept, in days.',
  }),
  LATCHKEY_REGISTER_LIMIT: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 60,
    description:
      'Requests per minute from one network to each route that registers an account, or that mails or confirms a code.',
  }),
  LATCHKEY_LOGIN_LIMIT: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    default: 600,
    description: 'Login attempts per minute from one network to one account, successful or not.',
  }),
})

export type AuthConfig = Static<typeof settings>
