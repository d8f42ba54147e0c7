import { isOrigin } from './cors.ts'
import { findUrlMistake } from './database-url.ts'
import { findItemMistake } from './setting-lists.ts'
import { findProxyMistake } from './trust-proxy.ts'

/** What the text of a setting has to be. */
interface SettingFormat {
  /** Completes "the setting must be …". */
  readonly accepts: string
  /** @returns the end of a sentence that begins with the setting's name, if the text is wrong */
  readonly findMistake: (text: string) => string | undefined
}

/** The formats that settings name in `format`. */
export const settingFormats: Readonly<Record<string, SettingFormat>> = {
  'database-url': {
    accepts: 'a URL that begins with `postgres://` or `postgresql://`',
    findMistake: findUrlMistake,
  },
  url: { accepts: 'an http or https URL', findMistake: findHttpUrlMistake },
  'smtp-url': {
    accepts: 'a URL that begins with `smtp://` or `smtps://`',
    findMistake: findSmtpUrlMistake,
  },
  mailbox: {
    accepts: 'an e-mail address of ASCII characters, or a name and `<address>`',
    findMistake: (text) =>
      isMailbox(text) ? undefined : 'must be an e-mail address, or a name and <address>',
  },
  color: {
    accepts: 'a colour such as `#1a56c4`',
    findMistake: (text) =>
      /^#[\da-f]{6}$/i.test(text) ? undefined : 'must be a colour such as #1a56c4',
  },
  name: {
    accepts: 'letters, digits and `. _ : / @ -`',
    findMistake: (text) =>
      isName(text) ? undefined : 'contains another character than letters, digits and . _ : / @ -',
  },
  names: {
    accepts: 'names separated by single spaces; a name has letters, digits and `. _ : / @ -`',
    findMistake: (text) => findItemMistake(text.split(' '), 'spaces', isName),
  },
  scope: {
    accepts: 'scope values separated by single spaces (RFC 6749 section 3.3)',
    findMistake: (text) => findItemMistake(text.split(' '), 'spaces', isScopeValue),
  },
  origins: {
    accepts: 'origins such as `https://app.example.com`, separated by single spaces',
    findMistake: (text) => findItemMistake(text.split(' '), 'spaces', isOrigin),
  },
  proxies: {
    accepts:
      'a number of hops (0 to 32), or addresses, CIDR ranges, `loopback`, `linklocal` and ' +
      '`uniquelocal`, separated by commas',
    findMistake: findProxyMistake,
  },
}

const isName = (text: string) => /^[\w.:/@-]+$/.test(text)
/** A `scope-token` without quotes and commas, which belong to lists in another notation. */
const isScopeValue = (text: string) => /^[!#-&(-+\--[\]-~]+$/.test(text)

/** A name in printable ASCII without the characters that structure a header, then the address. */
const isMailbox = (text: string) =>
  /^(?:[\w.' &+-]{1,60} <)?[\w.+-]{1,64}@[a-z\d-]+(?:\.[a-z\d-]+)*(>?)$/i.test(text) &&
  text.includes('<') === text.endsWith('>')

function findSmtpUrlMistake(text: string): string | undefined {
  const url = URL.parse(text)
  if (!url || !/^smtps?:$/.test(url.protocol) || url.hostname === '') {
    return 'must be a URL such as smtps://user:password@host:465'
  }
  if (!['', '/'].includes(url.pathname) || url.hash) return 'must not contain a path or a fragment'
  if (!['', '?tls=none'].includes(url.search)) return 'accepts only ?tls=none as query string'
  return undefined
}

function findHttpUrlMistake(text: string): string | undefined {
  const url = URL.parse(text)
  if (!url || !/^https?:$/.test(url.protocol) || /[\s\\"'<>]/.test(text)) {
    return 'must be an http or https URL'
  }
  if (url.username || url.password) return 'must not contain a user name or a password'
  return /[?#]/.test(text) ? 'must not contain a query string or a fragment' : undefined
}
