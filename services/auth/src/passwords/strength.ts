import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import pLimit from 'p-limit'
import { busy } from './hasher.ts'

/** Passwords that may wait for the worker. The slowest takes about as long as a hash. */
const maxQueued = 64

/** Longest time of an estimate, in milliseconds, including the start of the worker on a busy machine. */
const timeoutMs = 30_000

const turns = pLimit(1)
let worker: Worker | undefined

/**
 * Estimates how many guesses find a password. Its first 64 characters are compared with common
 * passwords, English words, names, dates and keyboard patterns, also in l33t spelling.
 *
 * It runs on a worker thread, which the first password starts. On the main thread every request
 * would wait: a third of a second for the dictionaries, and a tenth for the slowest passwords.
 *
 * @throws ProblemError 503 `busy` when too many passwords wait, or after 30 s
 */
export async function estimateGuesses(password: string): Promise<number> {
  if (turns.pendingCount >= maxQueued) throw busy
  return turns(ask, password)
}

async function ask(password: string): Promise<number> {
  worker ??= startWorker()
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    worker.postMessage(password)
    const [guesses] = await once(worker, 'message', { signal })
    return guesses
  } catch (err) {
    await worker.terminate()
    worker = undefined
    throw signal.aborted ? busy : err
  }
}

function startWorker(): Worker {
  // Measured: 100 MB. Without limits the garbage of long passwords adds 250 MB.
  const resourceLimits = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16 }
  const started = new Worker(new URL('./guess-worker.ts', import.meta.url), { resourceLimits })
  started.unref() // It must not keep a process alive that has closed its server.
  return started
}
