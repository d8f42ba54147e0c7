import { createVerifier, type Verifier, type VerifierOptions } from './verifier.ts'

/** A verifier, or the options of one. */
export type VerifierOrOptions =
  | ({ verifier: Verifier } & { [name in keyof VerifierOptions]?: never })
  | (VerifierOptions & { verifier?: never })

/**
 * Returns the given verifier, or creates one.
 *
 * @throws TypeError when an option is unknown, or would be ignored because a verifier is given
 */
export function readVerifier(options: VerifierOrOptions): Verifier {
  if (options.verifier === undefined) return createVerifier(options as VerifierOptions)
  const { verifier, ...others } = options
  const [ignored] = Object.keys(others)
  if (ignored !== undefined) {
    throw new TypeError(
      `option ${JSON.stringify(ignored)} would be ignored beside verifier; pass it to createVerifier`,
    )
  }
  if (typeof verifier.check !== 'function') {
    throw new TypeError('verifier must be a verifier of createVerifier')
  }
  return verifier
}
