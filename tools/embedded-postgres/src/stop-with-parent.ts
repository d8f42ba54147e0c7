import { spawn } from 'node:child_process'
import type { SystemUser } from './system-user.ts'

/**
 * Makes a server stop when this process dies, even by SIGKILL: a shell waits until the pipe from
 * this process breaks, then sends SIGINT.
 *
 * @returns ends the watch; call it when the server has exited, as its process ID may be reused
 */
export function stopWithParent(serverPid: number, user: SystemUser | undefined): () => void {
  if (process.platform === 'win32') return () => {}
  // A frozen server handles no signal before SIGCONT, and neither does a session of it.
  const script = 'read -r _; kill -CONT "$0"; pkill -CONT -P "$0"; kill -INT "$0"'
  const watchdog = spawn('/bin/sh', ['-c', script, String(serverPid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    ...user,
  })
  watchdog.on('error', () => {})
  watchdog.stdin.on('error', () => {})
  return () => void watchdog.kill('SIGKILL')
}
