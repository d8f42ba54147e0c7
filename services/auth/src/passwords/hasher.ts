import { availableParallelism } from 'node:os'
import { ProblemError } from '@latchkey/service-kit'
import { hash, parseOptions, verify } from '@node-rs/argon2'
import pLimit from 'p-limit'
import { letHashesGiveWay } from './give-way.ts'

/** Hashes that may wait. Beyond it a login would be answered later than a person waits. */
const maxQueued = 64

/** Of libuv's four threads one stays free for host names and files. */
const maxConcurrency = 3

/** One for all: a flood is refused by the thousand. */
const busy = new ProblemError(503, 'busy', 'Too many logins at once. Try again in a second.', {
  'retry-after': '1',
})

/** Hashes and verifies passwords, a bounded number at a time. */
export interface PasswordHasher {
  /**
   * Keeps a place in the queue for as long as `work` lasts: asked before anything is counted or looked
   * up, so that who is refused has cost nothing and is not taken for a guesser.
   *
   * @throws ProblemError 503 `busy` when all places are taken
   */
  admit: <T>(work: () => Promise<T>) => Promise<T>
  /** The refusal while all places are taken, counted as one; else `undefined`. */
  refusal: () => ProblemError | undefined
  /** @throws ProblemError 503 `busy` when all places are taken */
  hash: (password: string) => Promise<string>
  /** As `hash`, to be called within `admit`: it has a place already. */
  hashAdmitted: (password: string) => Promise<string>
  /**
   * Whether the password is the one of the hash. Without a hash (no such user) it takes the
   * same time and says no, so that the time of an answer does not tell who has an account.
   *
   * To be called within `admit`.
   */
  verify: (hash: string | undefined, password: string) => Promise<boolean>
  /** Whether the hash was made with other parameters than today's. */
  isOutdated: (hash: string) => boolean
  /** Whether all places are taken. */
  readonly full: boolean
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
 * A bulkhead around argon2id: as many hashes at once as there are processors (three at most), a bounded queue, and
 * a refusal at once beyond it. The threads that hash give way to everything else the service does.
 */
export async function createPasswordHasher({
  memoryKib,
  passes,
}: HashCost): Promise<PasswordHasher> {
  const options = { memoryCost: memoryKib, timeCost: passes, parallelism: 1 }
  const concurrency = Math.min(availableParallelism(), maxConcurrency)
  const limit = pLimit(concurrency)
  // While some hash, some are at the database; who waits holds no connection that a refresh could use.
  const works = pLimit(concurrency + 2)
  let taken = 0
  let refused = 0
  const nobody = await hash(crypto.randomUUID(), options)
  letHashesGiveWay()

  const isFull = () => taken >= concurrency + maxQueued

  function refusal(): ProblemError | undefined {
    if (!isFull()) return undefined
    refused += 1
    return busy
  }

  async function admit<T>(work: () => Promise<T>): Promise<T> {
    const refused = refusal()
    if (refused) throw refused
    taken += 1
    try {
      return await works(work)
    } finally {
      taken -= 1
    }
  }

  return {
    admit,
    refusal,
    hash: (password) => admit(() => limit(() => hash(password, options))),
    hashAdmitted: (password) => limit(() => hash(password, options)),
    verify: async (known, password) => {
      const matches = await limit(() => verify(known ?? nobody, password))
      return known !== undefined && matches
    },
    isOutdated: (known) => {
      const { memoryCost, timeCost } = parseOptions(known)
      return memoryCost !== memoryKib || timeCost !== passes
    },
    get full() {
      return isFull()
    },
    get running() {
      return limit.activeCount
    },
    get queued() {
      return works.pendingCount + limit.pendingCount
    },
    get refused() {
      return refused
    },
  }
}
