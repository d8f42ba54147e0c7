export { parseKeySet } from './keys/key-set.ts'
export type { Key, Keyring, KeyringErrorCode, KeySet } from './keys/keyring.ts'
export { KeyringError } from './keys/keyring.ts'
export { type KeyringFileOptions, openKeyring } from './keys/keyring-file.ts'
export type { KeysOption, StaticKey } from './keys/keys-option.ts'
export {
  createRevocationFeed,
  type RevocationFeed,
  type RevocationFeedOptions,
  type RevocationFeedState,
} from './revocation/feed.ts'
export {
  authAudience,
  mintServiceToken,
  type ServiceTokenOptions,
} from './revocation/service-token.ts'
export {
  type Refused,
  TokenError,
  type TokenErrorCode,
  type TokenErrorStatus,
} from './token/error.ts'
export type { PolicyOptions } from './token/policy.ts'
export * from './token/types.ts'
export type { CheckResult } from './token/verification.ts'
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'
