import { spawnSync } from 'node:child_process'

const checkMs = 500

/**
 * Calls back once, when the npm or the shell that runs this script has ended. npm signals the shell
 * alone, and the shell passes nothing on: without this, the script would run on without a parent.
 * Outside of `npm run`, it does nothing.
 */
export function onNpmGone(stop: () => void): void {
  if (process.env.npm_lifecycle_event === undefined || process.platform === 'win32') return
  const { stdout } = spawnSync('ps', ['-o', 'ppid=', '-p', String(process.ppid)])
  const parents = [process.ppid, Number(stdout ?? 0)].filter((pid) => pid > 1)
  const checking = setInterval(() => {
    if (parents.every(exists)) return
    clearInterval(checking)
    stop()
  }, checkMs)
  checking.unref()
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (err) {
    return (err as NodeJS.ErrnoException).code === 'EPERM'
  }
}
