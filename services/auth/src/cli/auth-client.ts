import { readFile } from 'node:fs/promises'
import { parseKeySet, signClientAssertion } from '@latchkey/verify'
import { deriveServiceSecret, operator, rootMissing } from '../keys/jwk.ts'

export interface AuthClientOptions {
  /** The key file of auth. Its root key allows the command to act as the operator. */
  keys: string
  /** Base URL of the auth service. */
  auth?: string
  issuer?: string
}

/** A request to the auth service. */
export interface AuthRequest {
  method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below `/v1/`. */
  path: string
  body?: object
}

const timeoutMs = 10_000

/**
 * Sends a request as the operator.
 *
 * @returns the body of the answer; `undefined` when it has none
 * @throws Error that names what failed, and the code of a refusal
 */
export async function askAuth<T>(
  { keys, auth, issuer }: AuthClientOptions,
  { method = 'GET', path, body }: AuthRequest,
): Promise<T> {
  if (auth === undefined || issuer === undefined) {
    throw new Error(
      '--auth and --issuer are required to ask the auth service; or set LATCHKEY_AUTH_URL and LATCHKEY_ISSUER',
    )
  }
  const assertion = await signAsOperator(keys, issuer)
  const response = await fetch(`${auth.replace(/\/+$/, '')}/v1/${path}`, {
    method,
    headers: {
      authorization: `Bearer ${assertion}`,
      ...(body && { 'content-type': 'application/json' }),
    },
    ...(body && { body: JSON.stringify(body) }),
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((err: Error) => {
    const { code } = (err.cause ?? {}) as { code?: string }
    throw new Error(`the auth service at ${auth} does not answer (${code ?? err.name})`)
  })
  if (response.status === 204) return undefined as T
  const reply = await response.json().catch(() => ({}))
  if (!response.ok) throw describeRefusal(auth, response.status, reply as Refusal)
  return reply as T
}

/** The parts of a problem (RFC 9457) that are printed. */
interface Refusal {
  code?: string
  detail?: string
  errors?: { path: string; message: string }[]
}

function describeRefusal(auth: string, status: number, { code, detail, errors }: Refusal): Error {
  if (code === undefined || status === 401) {
    const answer = [status, code].join(' ').trim()
    return new Error(
      `the auth service at ${auth} answered ${answer}; check --auth, --keys and --issuer`,
    )
  }
  const parts = (errors ?? []).map(({ path, message }) => `${path} ${message}`)
  return new Error([`${code}: ${detail}`, ...parts].join('\n  '))
}

/** A client assertion under the operator's key, which is in no file: it is derived from the root. */
async function signAsOperator(file: string, issuer: string): Promise<string> {
  const [root] = parseKeySet(await readFile(file, 'utf8')).roots
  if (root === undefined) throw new Error(rootMissing)
  const secret = deriveServiceSecret(root.secret, operator)
  const key = { kid: `${root.kid}/${operator}`, alg: 'HS256', service: operator, secret } as const
  return signClientAssertion(key, issuer)
}
