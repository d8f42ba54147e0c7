import { availableParallelism } from 'node:os'
import { ProblemError } from '@latchkey/service-kit'
import { hash, parseOptions, verify } from '@node-rs/argon2'
import pLimit from 'p-limit'

/** Hashes that may wait. Beyond it a login would be answered later than a person waits. */
const maxQueued = 64

/** Hashes and verifies passwords, a bounded number at a time. */
export interface PasswordHasher {
  /** @throws ProblemError 503 `busy` when the queue is full */
  hash: (password: string) => Promise<string>
  /**
   * Whether the password is the one of the hash. Without a hash (no such user) it takes the
   * same time and says no, so that the time of an answer does not tell who has an account.
   *
   * @throws ProblemError 503 `busy` when the queue is full
   */
  verify: (hash: string | undefined, password: string) => Promise<boolean>
  /** Whether the hash was made with other parameters than today's. */
  isOutdated: (hash: string) => boolean
  readonly running: number
  readonly queued: number
  /** How many were refused since the start. */
  readonly refused: number
}

/** The cost of one hash (argon2id, RFC 9106; one lane). */
export interface HashCost {
  memoryKib: number
  passes: number
}

/**
 * A bulkhead around argon2id: as many hashes at once as there are processors, a bounded queue, and
 * a refusal at once beyond it. Everything else the service does stays as fast as ever.
 */
export async function createPasswordHasher({
  memoryKib,
  passes,
}: HashCost): Promise<PasswordHasher> {
  const options = { memoryCost: memoryKib, timeCost: passes, parallelism: 1 }
  const limit = pLimit(availableParallelism())
  let refused = 0
  const nobody = await hash(crypto.randomUUID(), options)

  function bounded<T>(work: () => Promise<T>): Promise<T> {
    if (limit.pendingCount >= maxQueued) {
      refused += 1
      throw new ProblemError(503, 'busy', 'Too many logins at once. Try again in a second.', {
        'retry-after': '1',
      })
    }
    return limit(work)
  }

  return {
    hash: async (password) => bounded(() => hash(password, options)),
    verify: async (known, password) => {
      const matches = await bounded(() => verify(known ?? nobody, password))
      return known !== undefined && matches
    },
    isOutdated: (known) => {
      const { memoryCost, timeCost } = parseOptions(known)
      return memoryCost !== memoryKib || timeCost !== passes
    },
    get running() {
      return limit.activeCount
    },
    get queued() {
      return limit.pendingCount
    },
    get refused() {
      return refused
    },
  }
}
