import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, open, rm, statfs, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Drill, noRestart, pidsOf } from './drill.ts'
import { recovered, whileAway } from './postgres-away.ts'
import { nothingWrong, startTraffic } from './traffic.ts'

/** A fresh Postgres with the services' databases takes some 150 MB, its log of changes included. */
const diskMb = 512

/** The disk under Postgres, and nothing else, is full; then somebody makes room. */
export const diskFull: Drill = {
  name: 'disk-full',
  what: 'the disk under Postgres (a file system of its own, in memory) is filled to the last byte for 20 s',
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

  async run({ cluster, scale, progress }) {
    const pids = pidsOf(cluster)
    const load = { whoami: 6, orders: 6, login: 2, refresh: 4 }
    const { answers, stop } = await startTraffic(cluster.url, load)
    await sleep(2_000)
    const ballast = join(cluster.dataFolder, 'ballast')
    const from = performance.now()
    progress(1, 2, 'the disk is full')
    await keepFull(ballast, cluster.dataFolder, from + Math.max(6_000, 20_000 * scale))
    const to = performance.now()
    await rm(ballast)
    progress(2, 2, 'there is room again')
    // A server that could not write its log has given up: an operator starts it when there is room.
    await sleep(500)
    if (!cluster.isUp('postgres')) await cluster.startProcess('postgres')
    const back = performance.now()
    await sleep(4_000)
    await stop()
    return [
      ...whileAway(answers, from, to),
      recovered(answers, back),
      nothingWrong(answers),
      noRestart(cluster, pids),
    ]
  },
}

/** Takes all the room there is, and what falls free, until a time. */
async function keepFull(file: string, folder: string, until: number): Promise<void> {
  const handle = await open(file, 'w')
  try {
    while (performance.now() < until) {
      const { bavail, bsize } = await statfs(folder)
      if (bavail > 0)
        await handle.write(Buffer.alloc(Math.min(bavail * bsize, 16_777_216))).catch(() => {})
      else await sleep(20)
    }
  } finally {
    await handle.close()
  }
}
