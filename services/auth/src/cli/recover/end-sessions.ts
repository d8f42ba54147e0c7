import { createInterface } from 'node:readline/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Queryable } from '@latchkey/service-kit'
import { countOpenSessions, revokeOpenSessions } from '../../sessions/revoke-store.ts'

/** How often the progress is printed, in milliseconds. */
const progressMs = 1_000
/** Pause while the only open sessions left are locked by another transaction, in milliseconds. */
const lockedMs = 100

/**
 * Ends all sessions that are open now, in batches. Those that a login opens meanwhile stay open.
 *
 * @param confirm throws if the operator does not want it
 * @returns how many were ended
 */
export async function endSessions(
  db: Queryable,
  confirm: (count: number) => Promise<void>,
): Promise<number> {
  const { count, asOf } = await countOpenSessions(db)
  await confirm(count)
  let ended = 0
  let printedAt = performance.now()
  for (;;) {
    const batch = await revokeOpenSessions(db, asOf)
    ended += batch
    if (batch === 0 && (await countOpenSessions(db, asOf)).count === 0) return ended
    if (batch === 0) await sleep(lockedMs)
    if (performance.now() - printedAt < progressMs) continue
    process.stderr.write(`Ended ${ended} of ${count} sessions.\n`)
    printedAt = performance.now()
  }
}

/** Asks on a terminal. @throws Error without one, or if the answer is another */
export async function confirmOnTerminal(count: number): Promise<void> {
  if (!process.stdin.isTTY)
    throw new Error('--end-sessions requires --yes, or a terminal to ask on')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const question = `This ends ${count} sessions. Every user has to log in again. Type yes: `
  const answer = await terminal.question(question).finally(() => terminal.close())
  if (answer.trim() !== 'yes') throw new Error('not confirmed; no session was ended')
}
