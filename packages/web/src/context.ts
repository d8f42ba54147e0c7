import type { FastifyRequest } from 'fastify'
import { AuthClient } from './auth-client.ts'
import { Logins } from './logins.ts'
import type { Settings } from './options.ts'
import { resolveReturnTo } from './return-to.ts'
import { Sessions } from './sessions.ts'

/** What the parts of the plugin share. */
export interface Context {
  readonly settings: Settings
  readonly auth: AuthClient
  readonly sessions: Sessions
  readonly logins: Logins
  /** The public address of a request, for the way back to it. */
  addressOf(request: FastifyRequest): URL
}

/** @param prefix that of the plugin in which `web` is registered: it is not part of public paths */
export const createContext = (settings: Settings, prefix: string): Context => ({
  settings,
  auth: new AuthClient(settings),
  sessions: new Sessions(settings),
  logins: new Logins(settings),
  addressOf: ({ url }) => resolveReturnTo(url.slice(prefix.length), settings.base),
})

/** The address that begins a login, which then leads to `returnTo`. */
export function loginUrl({ base }: Settings, returnTo?: URL): URL {
  const url = new URL('auth/login', base)
  if (returnTo) url.searchParams.set('returnTo', toPath(returnTo, base))
  return url
}

/** An address below the public URL, as `resolveReturnTo` reads it. */
export const toPath = ({ href }: URL, base: URL): string => href.slice(base.href.length - 1)
