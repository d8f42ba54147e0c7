export { clientAssertionType, signClientAssertion } from './client/client-assertion.ts'
export type { Jwks } from './keys/jwks.ts'
export type { JwksOptions } from './keys/jwks-client.ts'
export { parseKeySet } from './keys/key-set.ts'
export type {
  EcKey,
  HmacKey,
  Key,
  Keyring,
  KeyringErrorCode,
  KeySet,
  ServiceKey,
} from './keys/keyring.ts'
export { KeyringError } from './keys/keyring.ts'
export { type KeyringFileOptions, openKeyring } from './keys/keyring-file.ts'
export type { KeysOption, StaticKey } from './keys/keys-option.ts'
export type { RsaKey } from './keys/rsa-key.ts'
export { createRevocationFeed, type RevocationFeed } from './revocation/feed.ts'
export { authAudience, limits } from './token/bounds.ts'
export type { Refused, TokenErrorCode, TokenErrorStatus } from './token/error.ts'
export { TokenError } from './token/error.ts'
export type { FeedSettings, RevocationFeedOptions } from './token/feed-options.ts'
export type { PolicyOptions } from './token/policy.ts'
export * from './token/types.ts'
export type { CheckResult } from './token/verification.ts'
export { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'
