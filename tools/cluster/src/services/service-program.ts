import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { send } from '@latchkey/test-kit/client'
import { findListeningUrl } from '@latchkey/test-kit/service'
import type { KeyFiles, Registration } from '../options.ts'
import { findInOutput, startChild } from '../processes/child.ts'
import { nodeEnv, repository } from '../processes/node.ts'
import type { Program } from '../processes/supervised-process.ts'
import { type ServiceName, serviceSettings } from './services.ts'

/** What the instances of all services have in common. */
export interface SharedSettings extends KeyFiles {
  /** Where the edge answers, as `http://localhost:8080`. */
  readonly edgeUrl: string
  /** Audiences of the tokens that auth issues. */
  readonly audiences: readonly string[]
  /** The mail server of auth. */
  readonly smtpUrl: string
  readonly registration: Registration
  readonly databaseUrls: Readonly<Record<ServiceName, string>>
  /** Overrides every other setting. */
  readonly env: NodeJS.ProcessEnv
  /** The log file of a process, by the process's name. */
  readonly logFile: (name: string) => string
}

const keysFileOf = (service: ServiceName, { keysFile, serviceKeys }: KeyFiles): string =>
  service === 'auth' ? keysFile : join(serviceKeys, service, 'keys.json')

/** A service's own grace period is 10 s. */
const stopTimeoutMs = 12_000

/** One instance of a service, on any free port. Ready means that `/readyz` answers 200. */
export function serviceProgram(
  service: ServiceName,
  name: string,
  shared: SharedSettings,
): Program<string> {
  const { edgeUrl, databaseUrls, env, logFile } = shared
  const exitWithParent = import.meta.resolve('../processes/exit-with-parent.ts')
  const main = join(repository, 'services', service, 'src/main.ts')
  return {
    name,
    launch: () =>
      startChild({
        command: process.execPath,
        args: ['--import', exitWithParent, main],
        env: {
          ...nodeEnv(),
          LATCHKEY_HOST: '127.0.0.1',
          LATCHKEY_PORT: '0',
          LATCHKEY_INSTANCE: name,
          LATCHKEY_ISSUER: `${edgeUrl}/auth`,
          LATCHKEY_KEYS_FILE: keysFileOf(service, shared),
          LATCHKEY_DATABASE_URL: databaseUrls[service],
          LATCHKEY_TRUST_PROXY: '127.0.0.1',
          LATCHKEY_SERVED_BY_HEADER: 'true',
          ...serviceSettings(service, shared),
          ...env,
        },
        logFile: logFile(name),
        ipc: true,
        stopSignal: 'SIGTERM',
        stopTimeoutMs,
      }),
    async untilReady(child, signal) {
      const url = await findInOutput(child, findListeningUrl, signal)
      const isReady = async () => (await send(`${url}/readyz`, { timeoutMs: 3_000 })).status === 200
      while (!(await isReady())) await sleep(20, undefined, { signal })
      return url
    },
  }
}
