import { readFile } from 'node:fs/promises'
import { parseKeySet, signClientAssertion } from '@latchkey/verify'
import { deriveServiceSecret, operator, rootMissing } from '../keys/jwk.ts'
import type { LiveKeys } from '../keys/rotation.ts'
import type { VerifierReport } from '../verifiers/store.ts'

export interface AuthClientOptions {
  /** The key file of auth. Its root key allows the command to act as the operator. */
  keys: string
  /** Base URL of the auth service. */
  auth?: string
  issuer?: string
}

/** Which keys each verifier has, and which keys signed tokens that may still be valid. */
export interface KeysStatus {
  verifiers: VerifierReport[]
  live: LiveKeys
}

const timeoutMs = 5_000

/** Asks the auth service for the status of all keys. @throws Error that names what failed */
export async function fetchKeysStatus(options: AuthClientOptions): Promise<KeysStatus> {
  const { keys, auth, issuer } = options
  if (auth === undefined || issuer === undefined) {
    throw new Error('--auth and --issuer are required to ask which keys the verifiers have')
  }
  const assertion = await signAsOperator(keys, issuer)
  const url = `${auth.replace(/\/+$/, '')}/v1/keys/status`
  const response = await fetch(url, {
    headers: { authorization: `Bearer ${assertion}` },
    redirect: 'error',
    signal: AbortSignal.timeout(timeoutMs),
  }).catch((err: Error) => {
    const { code } = (err.cause ?? {}) as { code?: string }
    throw new Error(`the auth service at ${auth} does not answer (${code ?? err.name})`)
  })
  const body = (await response.json().catch(() => ({}))) as StatusReply
  if (response.status !== 200) {
    throw new Error(
      `the auth service at ${auth} answered ${[response.status, body.code].join(' ').trim()}; check --auth, --keys and --issuer`,
    )
  }
  return {
    verifiers: body.verifiers.map(({ age_seconds, clock_ahead_seconds = null, ...verifier }) => ({
      ...verifier,
      ageSeconds: age_seconds,
      clockAheadSeconds: clock_ahead_seconds,
    })),
    live: new Map(body.signing_keys.map(({ kid, live_seconds }) => [kid, live_seconds])),
  }
}

/** A client assertion under the operator's key, which is in no file: it is derived from the root. */
async function signAsOperator(file: string, issuer: string): Promise<string> {
  const [root] = parseKeySet(await readFile(file, 'utf8')).roots
  if (root === undefined) throw new Error(rootMissing)
  const secret = deriveServiceSecret(root.secret, operator)
  const key = { kid: `${root.kid}/${operator}`, alg: 'HS256', service: operator, secret } as const
  return signClientAssertion(key, issuer)
}

interface StatusReply {
  code?: string
  verifiers: {
    service: string
    instance: string
    kids: string[]
    age_seconds: number
    /** Missing in the answer of an older release. */
    clock_ahead_seconds?: number | null
  }[]
  signing_keys: { kid: string; live_seconds: number }[]
}
