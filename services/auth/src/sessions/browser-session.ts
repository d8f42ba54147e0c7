import cookie, { type CookieSerializeOptions } from '@fastify/cookie'
import type { FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import type { BrowserSession } from './browser-store.ts'
import { createMacTokens, sessionIdFromBytes, sessionIdToBytes } from './mac-token.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The session that the browser's cookie names. It may have ended: the database knows. */
    readonly browserSessionId: string | undefined
    /** On a page that requires it: the session of the browser, which is open in the database. */
    browserUser: BrowserSession | undefined
  }
  interface FastifyReply {
    /** Makes the browser remember a session, or forget it. */
    rememberSession(sessionId: string | undefined): void
  }
}

/**
 * The browser's session at auth: a cookie with the session's ID and a MAC. Other hosts do not get
 * it, scripts cannot read it, and requests that another site makes in the background lack it
 * (`SameSite=Lax`). It is not a refresh token: its MAC is under another key.
 *
 * Where the issuer has a path the name cannot begin with `__Host-`, so a neighbouring subdomain
 * could add a cookie of the same name. A request with two of them counts as signed out.
 */
export const browserSessions = fp<{ issuer: string; ttlSeconds: number }>(
  async (app, { issuer, ttlSeconds }) => {
    const info = 'latchkey browser session v1'
    const tokens = createMacTokens(app.keyring, { prefix: 'lkb_', info, bodyBytes: 16 })
    const { pathname } = new URL(issuer)
    const name = pathname === '/' ? '__Host-latchkey' : '__Secure-latchkey'
    const options = {
      path: pathname,
      secure: true,
      httpOnly: true,
      sameSite: 'lax',
    } satisfies CookieSerializeOptions

    await app.register(cookie)
    app.decorateRequest('browserSessionId', {
      getter(this: FastifyRequest) {
        const values = findCookies(this.headers.cookie, name)
        const body = values.length === 1 ? tokens.parse(values[0] ?? '') : undefined
        return body && sessionIdFromBytes(body)
      },
    })
    app.decorateRequest('browserUser', undefined)
    app.decorateReply('rememberSession', function (sessionId) {
      if (sessionId === undefined) this.clearCookie(name, options)
      else {
        const value = tokens.format(sessionIdToBytes(sessionId))
        this.setCookie(name, value, { ...options, maxAge: ttlSeconds })
      }
    })
  },
  { name: 'browser-sessions', fastify: '5.x', dependencies: ['keyring'] },
)

/** All values of a cookie. A parser returns one of them. */
function findCookies(header = '', name: string): string[] {
  return header
    .split(/; */)
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1))
}
