import type { LiveKeys } from '../keys/rotation.ts'
import type { VerifierReport } from '../verifiers/store.ts'
import { type AuthClientOptions, askAuth } from './auth-client.ts'

/** Which keys each verifier has, and which keys signed tokens that may still be valid. */
export interface KeysStatus {
  verifiers: VerifierReport[]
  live: LiveKeys
}

/** Asks the auth service for the status of all keys. @throws Error that names what failed */
export async function fetchKeysStatus(options: AuthClientOptions): Promise<KeysStatus> {
  const body = await askAuth<StatusReply>(options, { path: 'keys/status' })
  return {
    verifiers: body.verifiers.map(({ age_seconds, clock_ahead_seconds = null, ...verifier }) => ({
      ...verifier,
      ageSeconds: age_seconds,
      clockAheadSeconds: clock_ahead_seconds,
    })),
    live: new Map(body.signing_keys.map(({ kid, live_seconds }) => [kid, live_seconds])),
  }
}

interface StatusReply {
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
