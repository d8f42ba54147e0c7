import { chmod, mkdtemp, open, rm, statfs, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { failuresOf, ofAction } from './findings.ts'
import { outageDrill } from './outage.ts'

/** A new Postgres with the services' databases needs about 150 MB, with its write-ahead log. */
const diskMb = 512
/** By then a segment of the write-ahead log, 16 MB, is full. */
const noticeMs = 60_000
const chunkBytes = 16 * 2 ** 20

/** Fills the disk of Postgres, and of nothing else. */
export const diskFull = outageDrill({
  name: 'disk-full',
  description:
    'fills the disk of Postgres (a file system in memory) until 20 s after the first login fails',
  obstacle: () =>
    process.platform === 'linux' && process.getuid?.() === 0
      ? undefined
      : 'needs root on Linux, to mount a small file system',

  async dataFolder() {
    const path = await mkdtemp(join(tmpdir(), 'latchkey-disk-'))
    const options = ['-t', 'tmpfs', '-o', `size=${diskMb}m,mode=711`]
    await execa('mount', [...options, 'latchkey-drill', path])
    await chmod(path, 0o711)
    // The logs of all processes are kept elsewhere: only the disk of Postgres is full.
    const logs = await mkdtemp(join(tmpdir(), 'latchkey-logs-'))
    await symlink(logs, join(path, 'logs'))
    return {
      path,
      async release() {
        // Lazily: a log is closed a moment after its process ends.
        await execa('umount', ['--lazy', path])
        await rm(path, { recursive: true })
        await rm(logs, { recursive: true })
      },
    }
  },

  clients: { whoami: 6, orders: 6, login: 2, refresh: 4 },

  async disturb({ cluster, scale, progress }, answers) {
    const ballast = join(cluster.dataFolder, 'ballast')
    const from = performance.now()
    progress(1, 2, 'the disk is full')
    // Postgres continues while its existing files have room.
    const logins = () => ofAction('login', failuresOf(answers))
    const noticedAt = () => logins().find(({ askedAt }) => askedAt > from)?.answeredAt
    const end = () => (noticedAt() ?? from + noticeMs) + 20_000 * scale
    await keepFull(ballast, cluster.dataFolder, () => performance.now() > end())
    const to = performance.now()
    await rm(ballast)
    progress(2, 2, 'the disk has free space again')
    // Postgres exits if it cannot write its log; an operator then starts it.
    await sleep(500)
    if (!cluster.isUp('postgres')) await cluster.startProcess('postgres')
    return { unavailable: { from, to }, back: performance.now() }
  },
})

/** Fills the disk with one file, and again whenever space becomes free. */
async function keepFull(file: string, folder: string, isOver: () => boolean): Promise<void> {
  const handle = await open(file, 'w')
  try {
    while (!isOver()) {
      const { bavail, bsize } = await statfs(folder)
      if (bavail === 0) await sleep(20)
      else await handle.write(Buffer.alloc(Math.min(bavail * bsize, chunkBytes))).catch(() => {})
    }
  } finally {
    await handle.close()
  }
}
