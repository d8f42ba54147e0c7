import { openidScopes } from '../sessions/scope.ts'
import type { OAuthClient } from './clients-store.ts'

/** An authorization request that has been checked (RFC 6749 section 4.1.1). */
export interface AuthorizationRequest {
  clientId: string
  redirectUri: string
  state: string | undefined
  /** Goes into the ID token. */
  nonce: string | undefined
  /** S256 (RFC 7636). */
  codeChallenge: string
  /** `null`: all that the client may have. */
  audiences: string[] | null
  scope: string
}

/** What a request demands of the login (OpenID Connect Core section 3.1.2.1). */
export interface LoginDemand {
  /** `none`: answer without a page; `login`: show the login page in any case. */
  prompt: 'none' | 'login' | undefined
  /** The password may have been proven at most so long ago, in seconds. */
  maxAgeSeconds: number | undefined
  /** The address to fill in. */
  loginHint: string | undefined
}

/** A refusal that the client is told of by a redirect (RFC 6749 section 4.1.2.1). */
export class AuthorizationError extends Error {
  override name = 'AuthorizationError'
  readonly error: string

  /** @param description a sentence for the client's developer */
  constructor(error: string, description: string) {
    super(description)
    this.error = error
  }
}

export type Parameters = Readonly<Record<string, string | string[]>>

type Check = (parameters: Parameters, client: OAuthClient) => void

const refuse = (error: string, description: string): never => {
  throw new AuthorizationError(error, description)
}

/** The value of a parameter. One without a value counts as left out (RFC 6749 section 3.1). */
function read(parameters: Parameters, name: string): string | undefined {
  const value = parameters[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** All values of a parameter that may be repeated. */
const readAll = (parameters: Parameters, name: string): string[] =>
  [parameters[name] ?? []].flat().filter(Boolean)

/** In characters: the request travels in a URL. */
const maxLengths = { state: 2_048, nonce: 512, login_hint: 254 }

/** At most so many values of `resource`. */
const maxResources = 5

/** The checks of a request, in the order of the specifications. The client is known already. */
const checks: readonly Check[] = [
  function refuseRepeated(parameters) {
    for (const [name, value] of Object.entries(parameters)) {
      if (Array.isArray(value) && name !== 'resource') {
        refuse('invalid_request', 'A parameter is repeated.')
      }
    }
  },
  // OpenID Connect Core sections 6 and 7.2.1
  function refuseRequestObjects(parameters) {
    for (const name of ['request', 'request_uri', 'registration']) {
      if (read(parameters, name)) refuse(`${name}_not_supported`, `${name} is not supported.`)
    }
  },
  function checkResponseType(parameters) {
    const responseType = read(parameters, 'response_type')
    if (responseType === undefined) refuse('invalid_request', 'response_type is missing.')
    if (responseType !== 'code') {
      refuse('unsupported_response_type', 'response_type must be "code".')
    }
  },
  function checkResponseMode(parameters) {
    if ((read(parameters, 'response_mode') ?? 'query') !== 'query') {
      refuse('unsupported_response_mode', 'response_mode must be "query".')
    }
  },
  // RFC 7636 section 4.3; RFC 9700 section 2.1.1 requires it of every client.
  function checkChallenge(parameters) {
    const challenge = read(parameters, 'code_challenge')
    if (challenge === undefined) refuse('invalid_request', 'code_challenge is missing (PKCE).')
    if (read(parameters, 'code_challenge_method') !== 'S256') {
      refuse('invalid_request', 'code_challenge_method must be "S256".')
    }
    if (!/^[\w-]{43}$/.test(challenge ?? '')) {
      refuse('invalid_request', 'code_challenge must be 43 characters of base64url.')
    }
  },
  function checkLength(parameters) {
    for (const [name, max] of Object.entries(maxLengths)) {
      const value = read(parameters, name) ?? ''
      if (value.length > max) refuse('invalid_request', `${name} is too long.`)
      if (!/^[\x20-\x7e]*$/.test(value)) {
        refuse('invalid_request', `${name} must be of printable ASCII characters.`)
      }
    }
  },
  function checkScope(parameters, { scope }) {
    const allowed = scope.split(' ')
    const isAllowed = (value: string) => value === '' || allowed.includes(value)
    if (!(read(parameters, 'scope') ?? '').split(' ').every(isAllowed)) {
      refuse('invalid_scope', 'The client may not ask for one of these scopes.')
    }
  },
  // RFC 8707 section 2
  function checkResource(parameters, { audiences }) {
    const resources = readAll(parameters, 'resource')
    if (resources.length > maxResources || !resources.every((value) => audiences.includes(value))) {
      refuse('invalid_target', 'The client may not ask for tokens for one of these resources.')
    }
  },
  function checkPrompt(parameters) {
    const prompts = (read(parameters, 'prompt') ?? 'login').split(' ')
    if (!prompts.every((value) => ['none', 'login', 'consent', 'select_account'].includes(value))) {
      refuse('invalid_request', 'prompt has a value that is not supported.')
    }
    if (prompts.includes('none') && prompts.length > 1) {
      refuse('invalid_request', 'prompt "none" excludes other values.')
    }
  },
  function checkMaxAge(parameters) {
    if (!/^\d{1,9}$/.test(read(parameters, 'max_age') ?? '0')) {
      refuse('invalid_request', 'max_age must be a number of seconds.')
    }
  },
]

/**
 * Checks an authorization request.
 *
 * Not checked: the client and the redirect URI. They come first, since an answer about anything else
 * goes to that URI.
 *
 * @throws AuthorizationError
 */
export function readAuthorizationRequest(
  parameters: Parameters,
  client: OAuthClient,
  redirectUri: string,
): AuthorizationRequest & LoginDemand {
  for (const check of checks) check(parameters, client)
  const prompt = read(parameters, 'prompt')
  const maxAge = read(parameters, 'max_age')
  const resources = readAll(parameters, 'resource')
  return {
    clientId: client.id,
    redirectUri,
    state: read(parameters, 'state'),
    nonce: read(parameters, 'nonce'),
    codeChallenge: read(parameters, 'code_challenge') ?? '',
    audiences: resources.length === 0 ? null : [...new Set(resources)],
    scope: chooseScope(read(parameters, 'scope'), client.scope),
    // There is nothing to consent to and one account to a browser: all but "none" is the login page.
    prompt: prompt === undefined || prompt === 'none' ? prompt : 'login',
    maxAgeSeconds: maxAge === undefined ? undefined : Number(maxAge),
    loginHint: read(parameters, 'login_hint'),
  }
}

/** Without a scope a client gets all that it may ask for, but nothing about the user. */
function chooseScope(requested: string | undefined, allowed: string): string {
  if (requested !== undefined) return [...new Set(requested.split(' ').filter(Boolean))].join(' ')
  return allowed
    .split(' ')
    .filter((value) => !openidScopes.includes(value))
    .join(' ')
}
