import { spawnSync } from 'node:child_process'

/** Runs `promtool` (Debian's package `prometheus`); `undefined` where this machine has none. */
export function promtool(...args: string[]): { ok: boolean; output: string } | undefined {
  const { error, status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8' })
  if (error && 'code' in error && error.code === 'ENOENT') return undefined
  if (error) throw error
  return { ok: status === 0, output: stdout + stderr }
}
