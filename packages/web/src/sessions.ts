import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Tokens } from './auth-client.ts'
import { CookieWriter, findCookies, namePrefix } from './cookies.ts'
import type { Settings } from './options.ts'
import { open, seal } from './seal.ts'

/** The signed-in user of a browser: a sealed cookie that contains both tokens. */
export class Sessions {
  readonly #settings: Settings
  readonly #cookies: CookieWriter
  readonly #name: string

  constructor(settings: Settings) {
    this.#settings = settings
    this.#cookies = new CookieWriter(settings)
    this.#name = `${namePrefix(settings)}session`
  }

  /**
   * Whether a request has several session cookies. A neighbouring host has added one, and which is
   * the user's cannot be told, so such a request counts as signed out.
   */
  isAmbiguous(request: FastifyRequest): boolean {
    return this.#find(request).length > 1
  }

  /** The tokens in the cookie of a request. Not checked: whether they are still valid. */
  async find(request: FastifyRequest): Promise<Tokens | undefined> {
    const [cookie, ...others] = this.#find(request)
    if (cookie === undefined || others.length > 0) return undefined
    const content = await open(this.#settings, 'session', cookie.value)
    return content && { accessToken: String(content.at), refreshToken: String(content.rt) }
  }

  /**
   * Makes the browser remember the tokens.
   *
   * @returns false when a cookie is too small for them, which is logged
   */
  async save(reply: FastifyReply, { accessToken, refreshToken }: Tokens): Promise<boolean> {
    const content = { at: accessToken, rt: refreshToken }
    const value = await seal(this.#settings, 'session', content)
    try {
      this.#cookies.set(reply, { name: this.#name, value })
      return true
    } catch (err) {
      reply.log.error({ err }, 'session not kept')
      return false
    }
  }

  /** Makes the browser forget the tokens. */
  clear(reply: FastifyReply): void {
    this.#cookies.clear(reply, this.#name)
  }

  #find({ headers }: FastifyRequest) {
    return findCookies(headers.cookie, `${this.#name}=`)
  }
}
