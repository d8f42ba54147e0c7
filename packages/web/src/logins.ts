import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { CookieWriter, findCookies, namePrefix } from './cookies.ts'
import type { Settings } from './options.ts'
import { open, seal } from './seal.ts'

/** A login that has begun: what the answer of auth is checked against. */
export interface Login {
  /** Ties the answer to this browser (RFC 6749 section 10.12). */
  readonly state: string
  /** Ties the code to this browser (RFC 7636). */
  readonly codeVerifier: string
  /** Where the user wanted to go, below the app's public URL. */
  readonly returnTo: string
}

/** How long a login may take: registration and reading mail included. */
const lifetimeSeconds = 600

/** Logins in flight per browser, for example in several tabs. One more ends the oldest. */
const maxLogins = 5

/** The logins of a browser: a sealed cookie for each, so that tabs do not disturb each other. */
export class Logins {
  readonly #settings: Settings
  readonly #cookies: CookieWriter
  readonly #prefix: string

  constructor(settings: Settings) {
    this.#settings = settings
    this.#cookies = new CookieWriter(settings)
    this.#prefix = `${namePrefix(settings)}login-`
  }

  /** Makes the browser remember a login until it is taken. */
  async save(request: FastifyRequest, reply: FastifyReply, login: Login): Promise<void> {
    const older = findCookies(request.headers.cookie, this.#prefix)
    for (const { name } of older.slice(0, Math.max(0, older.length - maxLogins + 1))) {
      this.#cookies.clear(reply, name)
    }
    const value = await seal(this.#settings, 'login', { ...login }, `${lifetimeSeconds}s`)
    this.#cookies.set(reply, { name: this.#nameOf(login.state), value }, lifetimeSeconds)
  }

  /**
   * Finds the login of a state, and makes the browser forget it.
   *
   * @returns `undefined` when this browser has not begun it, or too long ago
   */
  async take(
    request: FastifyRequest,
    reply: FastifyReply,
    state: string,
  ): Promise<Login | undefined> {
    const name = this.#nameOf(state)
    const [cookie, ...others] = findCookies(request.headers.cookie, `${name}=`)
    if (cookie === undefined) return undefined
    this.#cookies.clear(reply, name)
    const content =
      others.length > 0 ? undefined : await open(this.#settings, 'login', cookie.value)
    return content?.state === state ? (content as unknown as Login) : undefined
  }

  #nameOf(state: string): string {
    return this.#prefix + createHash('sha256').update(state).digest('base64url').slice(0, 16)
  }
}
