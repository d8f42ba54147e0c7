import { resolve } from 'node:path'
import { execa } from 'execa'

/** A service that runs as its own process. */
export interface RunningService {
  readonly url: string
  /** What it has logged so far. */
  output(): string
  /**
   * Stops it with SIGTERM, or with SIGKILL after 15 s.
   *
   * @returns its exit code; `undefined` when it had to be killed
   */
  stop(): Promise<number | undefined>
}

const repository = resolve(import.meta.dirname, '../../..')

/**
 * Starts a service as its own process, on a free port unless `env` names one. Resolves when the
 * service listens.
 *
 * @param env its complete environment
 * @param root the checkout to run it from
 * @throws Error with its output, if it exits first
 */
export async function startService(
  name: string,
  env: NodeJS.ProcessEnv,
  root = repository,
): Promise<RunningService> {
  const { NODE_COMPILE_CACHE } = process.env
  const child = execa(process.execPath, [resolve(root, 'services', name, 'src/main.ts')], {
    env: { LATCHKEY_PORT: '0', ...(NODE_COMPILE_CACHE && { NODE_COMPILE_CACHE }), ...env },
    extendEnv: false,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    forceKillAfterDelay: 15_000,
  })
  let output = ''
  const url = await new Promise<string>((listening, failed) => {
    let found: string | undefined
    child.all.on('data', (chunk) => {
      output += chunk
      // Searched no further: the log of a benchmark grows by thousands of lines a second.
      found ??= findListeningUrl(output)
      if (found !== undefined) listening(found)
    })
    child.then(({ exitCode, signal }) =>
      failed(new Error(`${name} exited with ${exitCode ?? signal}: ${output}`)),
    )
  })
  return {
    url,
    output: () => output,
    async stop() {
      child.kill()
      return (await child).exitCode
    },
  }
}

/** The address that a service has logged, as `http://127.0.0.1:40123`. */
export function findListeningUrl(output: string): string | undefined {
  return /"msg":"Server listening at (http:[^"]+)"/.exec(output)?.[1]
}
