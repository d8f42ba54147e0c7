export { parseKeySet } from './key-set.ts'
export type { Key, Keyring, KeyringErrorCode, KeySet } from './keyring.ts'
export { KeyringError } from './keyring.ts'
export { type KeyringFileOptions, openKeyring } from './keyring-file.ts'
export type { KeysOption, StaticKey } from './keys-option.ts'
export type { PolicyOptions } from './policy.ts'
export {
  createRevocationFeed,
  type RevocationFeed,
  type RevocationFeedOptions,
  type RevocationFeedState,
} from './revocation-feed.ts'
export { authAudience, mintServiceToken, type ServiceTokenOptions } from './service-token.ts'
export {
  type Refused,
  TokenError,
  type TokenErrorCode,
  type TokenErrorStatus,
} from './token-error.ts'
export * from './types.ts'
export type { CheckResult } from './verification.ts'
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'
