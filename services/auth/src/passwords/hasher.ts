import { availableParallelism } from 'node:os'
import { ProblemError } from '@latchkey/service-kit'
import { hash, parseOptions, verify } from '@node-rs/argon2'
import pLimit, { type LimitFunction } from 'p-limit'

/** Callers that may wait. With more, a login would take longer than a person waits. */
const maxQueued = 64

/** One of libuv's four threads stays free for DNS look-ups and file access. */
const maxConcurrency = 3

/** Built once, because a flood is refused by the thousand. */
const busy = new ProblemError(
  503,
  'busy',
  'Too many logins and registrations are in progress. Try again in a second.',
  { 'retry-after': '1' },
)

/** The cost of one hash (argon2id, RFC 9106; one lane). */
export interface HashCost {
  memoryKib: number
  passes: number
}

/** Hashes and verifies passwords. Only callers inside `PasswordBulkhead.admit` get one. */
export interface PasswordHasher {
  hash: (password: string) => Promise<string>
  /**
   * Whether the password matches the hash. Without a hash (unknown user) it verifies against a
   * decoy and returns false, so that the response time does not reveal who has an account.
   */
  verify: (hash: string | undefined, password: string) => Promise<boolean>
  /** Whether the hash was made with a cost other than the configured one. */
  isOutdated: (hash: string) => boolean
}

/** Bounds how much password hashing one instance does at a time. */
export interface PasswordBulkhead {
  /**
   * Occupies a place until `work` is done. Call it before counting or looking anything up: a
   * refused caller then has cost nothing and does not count as a guess.
   *
   * @throws ProblemError 503 `busy` when all places are taken
   */
  admit: <T>(work: (hasher: PasswordHasher) => Promise<T>) => Promise<T>
  /** @throws ProblemError 503 `busy`, and counts the refusal, when all places are taken */
  refuseWhenFull: () => void
  readonly isFull: boolean
  /** Hashes being computed, callers waiting, and callers refused since the start. */
  readonly counters: { running: number; queued: number; refused: number }
}

/**
 * A bulkhead around argon2id. It runs at most one hash per processor (three at most), queues a
 * bounded number of callers, and refuses the rest immediately.
 */
export async function createPasswordBulkhead(cost: HashCost): Promise<PasswordBulkhead> {
  const concurrency = Math.min(availableParallelism(), maxConcurrency)
  const hashSlots = pLimit(concurrency)
  // Two more than hash, so that some query the database meanwhile. Waiting callers use no
  // connection.
  const loginSlots = pLimit(concurrency + 2)
  const hasher = await createHasher(cost, hashSlots)
  let pending = 0
  let refused = 0
  const isFull = () => pending >= concurrency + maxQueued

  function refuseWhenFull(): void {
    if (!isFull()) return
    refused += 1
    throw busy
  }

  return {
    admit: async (work) => {
      refuseWhenFull()
      pending += 1
      try {
        return await loginSlots(() => work(hasher))
      } finally {
        pending -= 1
      }
    },
    refuseWhenFull,
    get isFull() {
      return isFull()
    },
    get counters() {
      const queued = loginSlots.pendingCount + hashSlots.pendingCount
      return { running: hashSlots.activeCount, queued, refused }
    },
  }
}

async function createHasher(cost: HashCost, slots: LimitFunction): Promise<PasswordHasher> {
  const options = { memoryCost: cost.memoryKib, timeCost: cost.passes, parallelism: 1 }
  const decoyHash = await hash(crypto.randomUUID(), options)
  return {
    hash: (password) => slots(() => hash(password, options)),
    verify: async (known, password) => {
      const matches = await slots(() => verify(known ?? decoyHash, password))
      return known !== undefined && matches
    },
    isOutdated: (known) => {
      const { memoryCost, timeCost } = parseOptions(known)
      return memoryCost !== cost.memoryKib || timeCost !== cost.passes
    },
  }
}
