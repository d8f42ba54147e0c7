import { availableParallelism } from 'node:os'
import { ProblemError } from '@latchkey/service-kit'
import { hash, parseOptions, verify } from '@node-rs/argon2'
import type { FastifyBaseLogger } from 'fastify'
import pLimit, { type LimitFunction } from 'p-limit'
import { normalizePassword } from './credentials.ts'

/** Callers that may wait. With more, a login would take longer than a person waits. */
const maxQueued = 64

/**
 * Places that one network may occupy at a time, so that a network that guesses leaves half of them
 * to others. It is more than can be hashed at a time: one network alone still gets every hash.
 */
const maxPlacesPerNetwork = maxQueued / 2

/** One of libuv's four threads stays free for DNS look-ups and file access. */
const maxConcurrency = 3

/** `Algorithm.Argon2id` of the library, a `const enum` that exists only for the compiler. */
const argon2id = 2

/** Built once, because a flood is refused by the thousand. */
export const busy = new ProblemError(
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
   * decoy and returns false, so that the response time does not reveal who has an account. So it
   * does for a hash that cannot be read, such as one that another program stored.
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
   * @throws ProblemError 503 `busy` when all places, or those of the network, are taken
   */
  admit: <T>(network: string, work: (hasher: PasswordHasher) => Promise<T>) => Promise<T>
  /** Throws what `admit` would throw, and counts the refusal. */
  refuseWhenFull: (network: string) => void
  readonly isFull: boolean
  /** Hashes being computed, callers waiting, and callers refused since the start. */
  readonly counters: { running: number; queued: number; refused: number }
}

/**
 * A bulkhead around argon2id. It runs at most one hash per processor (three at most), queues a
 * bounded number of callers, and refuses the rest immediately.
 */
export async function createPasswordBulkhead(
  cost: HashCost,
  log: Pick<FastifyBaseLogger, 'warn'>,
): Promise<PasswordBulkhead> {
  const concurrency = Math.min(availableParallelism(), maxConcurrency)
  const hashSlots = pLimit(concurrency)
  // Two more than hash, so that some query the database meanwhile. Waiting callers use no
  // connection.
  const loginSlots = pLimit(concurrency + 2)
  const hasher = await createHasher(cost, hashSlots, log)
  /** The occupied places by network. At most as many entries as there are places. */
  const places = new Map<string, number>()
  let pending = 0
  let refused = 0
  const isFull = () => pending >= concurrency + maxQueued

  function occupy(network: string, change: 1 | -1): void {
    pending += change
    const occupied = (places.get(network) ?? 0) + change
    if (occupied === 0) places.delete(network)
    else places.set(network, occupied)
  }

  function refuseWhenFull(network: string): void {
    if (!isFull() && (places.get(network) ?? 0) < maxPlacesPerNetwork) return
    refused += 1
    throw busy
  }

  return {
    admit: async (network, work) => {
      refuseWhenFull(network)
      occupy(network, 1)
      try {
        return await loginSlots(() => work(hasher))
      } finally {
        occupy(network, -1)
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

async function createHasher(
  cost: HashCost,
  slots: LimitFunction,
  log: Pick<FastifyBaseLogger, 'warn'>,
): Promise<PasswordHasher> {
  const options = { memoryCost: cost.memoryKib, timeCost: cost.passes, parallelism: 1 }
  const decoyHash = await hash(crypto.randomUUID(), options)
  let hasWarned = false

  /** Logged once: any stranger could repeat it. */
  function warnOfUnreadableHash(): void {
    if (!hasWarned) log.warn(unreadableHash)
    hasWarned = true
  }

  return {
    hash: (password) => slots(() => hash(normalizePassword(password), options)),
    verify: async (known, password) => {
      const readable = known !== undefined && isArgon2(known) ? known : undefined
      if (known !== readable) warnOfUnreadableHash()
      // As it was sent, too: the hash may be older than normalization.
      for (const form of new Set([normalizePassword(password), password])) {
        const matches = await slots(() => verify(readable ?? decoyHash, form))
        if (matches) return readable !== undefined
      }
      return false
    },
    isOutdated: (known) => {
      const { algorithm, memoryCost, timeCost, parallelism } = parseOptions(known)
      const isSameKind = algorithm === argon2id && parallelism === options.parallelism
      return !isSameKind || memoryCost !== cost.memoryKib || timeCost !== cost.passes
    },
  }
}

const unreadableHash =
  'a stored password hash is not argon2, so its user cannot log in; find them with ' +
  "SELECT id FROM users WHERE password_hash NOT LIKE '$argon2%'"

/** Whether the library can read a hash. It throws for any other text. */
function isArgon2(text: string): boolean {
  try {
    parseOptions(text)
    return true
  } catch {
    return false
  }
}
