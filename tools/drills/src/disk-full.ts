import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, open, rm, statfs, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Drill } from './drill.ts'
import { playOutage } from './postgres-away.ts'
import { failuresOf } from './traffic.ts'

/** A fresh Postgres with the services' databases takes some 150 MB, its log of changes included. */
const diskMb = 512
/** A segment of its log of changes is full by then, 16 MB, in milliseconds. */
const feltWithinMs = 60_000

/** The disk under Postgres, and nothing else, is full; then somebody makes room. */
export const diskFull: Drill = {
  name: 'disk-full',
  what: 'the disk under Postgres (a file system of its own, in memory) is filled to the last byte until 20 s after services feel it',
  instances: 2,
  obstacle: () =>
    process.platform === 'linux' && process.getuid?.() === 0
      ? undefined
      : 'needs root on Linux, to mount a small file system',

  async dataFolder() {
    const path = await mkdtemp(join(tmpdir(), 'latchkey-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${diskMb}m,mode=711`, 'latchkey-drill', path])
    await chmod(path, 0o711)
    // The logs of all processes go elsewhere: it is the disk of Postgres that is full.
    const logs = await mkdtemp(join(tmpdir(), 'latchkey-logs-'))
    await symlink(logs, join(path, 'logs'))
    return {
      path,
      async release() {
        // Lazily: a process's log is closed a moment after its end.
        execFileSync('umount', ['--lazy', path])
        await rm(path, { recursive: true })
        await rm(logs, { recursive: true })
      },
    }
  },

  run: (stage) =>
    playOutage(
      stage,
      async ({ cluster, scale, progress }, answers) => {
        const ballast = join(cluster.dataFolder, 'ballast')
        const from = performance.now()
        progress(1, 2, 'the disk is full')
        // Postgres works on while there is room in the files it has.
        const felt = () => failuresOf(answers).find(({ askedAt }) => askedAt > from)?.answeredAt
        const lastsUntil = () => (felt() ?? from + feltWithinMs) + 20_000 * scale
        await keepFull(ballast, cluster.dataFolder, () => performance.now() > lastsUntil())
        const to = performance.now()
        await rm(ballast)
        progress(2, 2, 'there is room again')
        // A server that could not write its log has given up: an operator starts it when there is room.
        await sleep(500)
        if (!cluster.isUp('postgres')) await cluster.startProcess('postgres')
        return { away: [from, to], back: performance.now() }
      },
      { whoami: 6, orders: 6, login: 2, refresh: 4 },
    ),
}

/** Takes all the room there is, and what falls free, until it is enough. */
async function keepFull(file: string, folder: string, isEnough: () => boolean): Promise<void> {
  const handle = await open(file, 'w')
  try {
    while (!isEnough()) {
      const { bavail, bsize } = await statfs(folder)
      if (bavail > 0)
        await handle.write(Buffer.alloc(Math.min(bavail * bsize, 16_777_216))).catch(() => {})
      else await sleep(20)
    }
  } finally {
    await handle.close()
  }
}
