import { execFile } from 'node:child_process'

export interface Run {
  code: number
  stdout: string
  stderr: string
}

const path = (file: string) => new URL(`../src/${file}`, import.meta.url).pathname

/** Runs a program of the service's sources to its end. */
export const run = (file: string, args: string[], env = process.env): Promise<Run> =>
  new Promise((resolve) => {
    const options = { env, timeout: 120_000 }
    execFile(process.execPath, [path(file), ...args], options, (err, stdout, stderr) =>
      // Without a code, the program was killed.
      resolve({ code: err ? Number(err.code ?? -1) : 0, stdout, stderr }),
    )
  })

/** Runs the command `latchkey`. */
export const latchkey = (...args: string[]): Promise<Run> => run('cli/main.ts', args)
