import type { FastifyReply } from 'fastify'
import type { Settings } from './options.ts'

/** Browsers drop a longer cookie (RFC 6265bis section 5.6). Bytes, with name and attributes. */
const maxBytes = 4_096

/** A cookie in a request. */
interface Cookie {
  readonly name: string
  readonly value: string
}

/**
 * The first part of the names of the app's cookies. A cookie whose name begins with `__Host-` is of
 * this host alone: no neighbouring host can set it. It excludes a path, so with one it is
 * `__Secure-`, which such a host can set.
 */
export const namePrefix = ({ base, clientId }: Settings): string =>
  `${base.pathname === '/' ? '__Host-' : '__Secure-'}${clientId}-`

/**
 * The cookies of a request whose names begin with `prefix`. A browser sends the older ones first
 * (RFC 6265 section 5.4). One name can occur twice, which a map would hide.
 */
export function findCookies(header = '', prefix: string): Cookie[] {
  return header
    .split(/; */)
    .filter((pair) => pair.startsWith(prefix) && pair.includes('='))
    .map((pair) => {
      const end = pair.indexOf('=')
      return { name: pair.slice(0, end), value: pair.slice(end + 1) }
    })
}

/** Writes cookies that only this app's server can read. */
export class CookieWriter {
  readonly #attributes: string

  constructor({ base }: Settings) {
    const path = base.pathname.replace(/(?<=.)\/$/, '')
    this.#attributes = `Path=${path}; HttpOnly; Secure; SameSite=Lax`
  }

  /**
   * Adds a cookie to a response. Without `maxAgeSeconds` it ends with the browser's session.
   *
   * @param value characters that need no encoding, such as a JWE
   * @throws Error when browsers would drop the cookie
   */
  set(reply: FastifyReply, { name, value }: Cookie, maxAgeSeconds?: number): void {
    const maxAge = maxAgeSeconds === undefined ? '' : `; Max-Age=${maxAgeSeconds}`
    const cookie = `${name}=${value}; ${this.#attributes}${maxAge}`
    if (cookie.length > maxBytes) {
      throw new Error(
        `the cookie ${name} would have ${cookie.length} bytes; browsers drop one of more than ` +
          `${maxBytes}: give the client fewer scopes and audiences, or the user fewer roles`,
      )
    }
    reply.header('set-cookie', cookie)
    // For a route that answers by `reply.raw`, such as a stream of events. Otherwise it is replaced.
    reply.raw.appendHeader('set-cookie', cookie)
  }

  /** Makes the browser delete a cookie. */
  clear(reply: FastifyReply, name: string): void {
    this.set(reply, { name, value: '' }, 0)
  }
}
