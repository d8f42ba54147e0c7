import { KeyringError } from '../keys/keyring.ts'
import { authAudience } from '../token/bounds.ts'
import type { RevocationFeedOptions } from '../token/feed-options.ts'
import { signClientAssertion } from './client-assertion.ts'
import { mintServiceToken } from './service-token.ts'

type Options = Pick<RevocationFeedOptions, 'keys' | 'issuer' | 'service'>

/**
 * What a service authenticates to auth with: a client assertion, or a service token where auth has
 * no root key, as before version 0.2. Each auth instance gets the one that it accepts, so that the
 * key files of a running fleet can be replaced in any order.
 */
export class Credentials {
  readonly #options: Options
  /** The other one was refused last. */
  #prefersToken = false

  /** @throws KeyringError when the keys are those of another service */
  constructor(options: Options) {
    this.#options = options
    this.#refuseOtherService()
  }

  /** Sends a request, and once more with the other credential if the first one is refused. */
  async use(send: (credential: string) => Promise<Response>): Promise<Response> {
    const { keys, issuer, service } = this.#options
    this.#refuseOtherService()
    const { service: key, signing } = keys.current
    const assertion = key && (() => signClientAssertion(key, issuer))
    const token =
      signing.alg === 'HS256'
        ? () => mintServiceToken(signing, { issuer, service, audience: authAudience })
        : undefined
    const both = this.#prefersToken ? [token, assertion] : [assertion, token]
    const [first, second] = both.filter((sign) => sign !== undefined)
    if (first === undefined) {
      throw new Error(`the keys have no key of ${service}: ${howToExport(service)}`)
    }
    const response = await send(await first())
    if (response.status !== 401 || second === undefined) return response
    const other = await send(await second())
    const isOtherRefused = other.status === 401
    await (isOtherRefused ? other : response).body?.cancel()
    if (!isOtherRefused) this.#prefersToken = second === token
    return isOtherRefused ? response : other
  }

  #refuseOtherService(): void {
    const { keys, service } = this.#options
    const { service: key } = keys.current
    if (key === undefined || key.service === service) return
    throw new KeyringError(
      'keyring_other_service',
      `the keys are those of the service ${key.service}, not of ${service}: ${howToExport(service)}`,
    )
  }
}

const howToExport = (service: string): string =>
  /^[\w.-]{1,64}$/.test(service)
    ? `run latchkey keys export --service ${service}`
    : 'pass the option service, the name that latchkey keys export was given'
