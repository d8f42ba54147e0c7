import { readdirSync, readFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/**
 * By how much nicer the threads that hash are: as nice as can be, a seventieth of the weight where both want a
 * processor. (A container, or a session of its own, is weighed as a whole: there this holds among its threads alone.)
 */
const niceness = 19

/**
 * Lets the event loop run before hashes where both want the same processor: on a busy machine the scheduler would
 * give a hash, which never pauses, its whole time slice while a refresh waits.
 *
 * Linux alone sets the priority of a thread (setpriority(2) takes thread ids, there against POSIX); elsewhere,
 * and before the threads exist, this does nothing. The same threads resolve host names and read files.
 */
export function letHashesGiveWay(): void {
  if (process.platform !== 'linux') return
  try {
    const nicer = Math.min(getPriority() + niceness, 19)
    for (const thread of readdirSync('/proc/self/task')) {
      const name = readFileSync(`/proc/self/task/${thread}/comm`, 'utf8').trim()
      if (name === 'libuv-worker') setPriority(Number(thread), nicer)
    }
  } catch {
    // Without /proc, or where a sandbox forbids it: hashes compete on equal terms.
  }
}
