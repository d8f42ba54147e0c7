import { link, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterError, hasCode } from '../errors/cluster-error.ts'
import { isAlive, startOf } from '../processes/process-table.ts'

/** Who holds a data folder. */
interface Holder {
  readonly pid: number
  /** When that process started: process ids are used again. */
  readonly started: string
}

/** A held lock. */
export interface Lock {
  /** Whether an earlier holder died without giving it back. */
  readonly takenOver: boolean
  release(): Promise<void>
}

/**
 * Takes the lock of a data folder. One whose holder is dead is taken over.
 *
 * @throws ClusterError while another cluster runs on the folder
 */
export async function takeLock(file: string): Promise<Lock> {
  const mine = JSON.stringify({ pid: process.pid, started: startOf(process.pid) } satisfies Holder)
  let takenOver = false
  for (;;) {
    try {
      await writeFile(file, mine, { flag: 'wx', mode: 0o600 })
      return { takenOver, release: () => rm(file, { force: true }) }
    } catch (err) {
      if (!hasCode(err, 'EEXIST')) throw err
    }
    const held = await readSettled(file)
    const holder = parseHolder(held)
    if (holder && isAlive(holder.pid) && startOf(holder.pid) === holder.started) {
      throw new ClusterError(
        `A cluster already runs on this data folder (process ${holder.pid}); stop it, or give --ephemeral for a second one.`,
      )
    }
    takenOver = await removeStale(file, held)
  }
}

/**
 * Two starts may find the same dead holder. Moving the file away decides which of them removes it,
 * and whoever moved a lock taken meanwhile puts it back.
 */
async function removeStale(file: string, stale: string): Promise<boolean> {
  const aside = `${file}.${process.pid}`
  try {
    await rename(file, aside)
  } catch (err) {
    if (hasCode(err, 'ENOENT')) return false
    throw err
  }
  const moved = await readFile(aside, 'utf8')
  if (moved !== stale) await link(aside, file).catch(() => {})
  await rm(aside)
  return moved === stale
}

/** A lock being written is empty for a moment. */
async function readSettled(file: string): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const text = await readFile(file, 'utf8').catch(() => '')
    if (text !== '' || attempt === 5) return text
    await sleep(20)
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const holder = JSON.parse(text)
    return Number.isInteger(holder?.pid) ? holder : undefined
  } catch {
    return undefined
  }
}
