import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** Runs a command to its end and returns what it printed; throws with all it said when it fails. */
export async function run(
  [command, ...args]: readonly [string, ...string[]],
  { timeoutMs = 60_000, env = process.env } = {},
): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(command, args, {
      timeout: timeoutMs,
      env,
      maxBuffer: 64 * 1024 * 1024,
    })
    return stdout.trim()
  } catch (err) {
    const { stdout = '', stderr = '' } = err as { stdout?: string; stderr?: string }
    const said = `${stdout}\n${stderr}`.trim().split('\n').slice(-30).join('\n')
    throw new Error(`${[command, ...args].join(' ')} failed:\n${said}`, { cause: err })
  }
}

/** `docker …` */
export const docker = (...args: string[]): Promise<string> => run(['docker', ...args])

/** The lines of a listing, none for an empty one. */
export const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '')
