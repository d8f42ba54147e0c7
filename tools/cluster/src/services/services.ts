import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Child, startChild } from '../processes/child.ts'
import type { Program } from '../processes/supervised-process.ts'

/** The services of the cluster, in the order they are shown. */
export const serviceNames = ['auth', 'orders', 'billing'] as const
export type ServiceName = (typeof serviceNames)[number]

/** What every instance is told, whatever its service. */
export interface ServiceEnvironment {
  /** Where the edge answers. */
  readonly edgeUrl: string
  readonly keysFile: string
  readonly databaseUrls: Readonly<Record<ServiceName, string>>
  /** Set for every instance, over all else. */
  readonly extra: NodeJS.ProcessEnv
}

const root = resolve(import.meta.dirname, '../../../..')

/** Compiled code of all processes, which start several times faster with it. */
export const compileCache = join(root, 'node_modules/.cache/latchkey')

/** The services' own grace is 10 s. */
const stopTimeoutMs = 12_000

/** One instance of a service, to be run. */
export interface ServiceInstance {
  readonly service: ServiceName
  readonly name: string
  /** The service's program, as `bundleServices` made it. */
  readonly file: string
  readonly logFile: string
  /** It may be started before this is known. */
  readonly environment: Promise<ServiceEnvironment>
  /** Told at each start when its code is loaded. */
  readonly onLoaded: () => void
}

/** How one instance of a service runs: any free port, its address read from its log. */
export function serviceProgram(instance: ServiceInstance): Program<string> {
  const { service, name, file, logFile, environment, onLoaded } = instance
  return {
    name,
    stopSignal: 'SIGTERM',
    stopTimeoutMs,
    launch: () =>
      startChild({
        command: process.execPath,
        args: [file],
        env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
        logFile,
        ipc: true,
      }),
    async untilReady(child, died) {
      child.process.once('message', onLoaded)
      child.process.send(settingsOf(service, name, await environment))
      const url = await listeningUrl(child, died)
      while (!(await isReady(url))) await sleep(20, undefined, { signal: died })
      return url
    },
  }
}

function settingsOf(service: ServiceName, name: string, environment: ServiceEnvironment) {
  const { edgeUrl, keysFile, databaseUrls, extra } = environment
  const settings: NodeJS.ProcessEnv = {
    LATCHKEY_HOST: '127.0.0.1',
    LATCHKEY_PORT: '0',
    LATCHKEY_INSTANCE: name,
    LATCHKEY_ISSUER: `${edgeUrl}/auth`,
    LATCHKEY_KEYS_FILE: keysFile,
    LATCHKEY_DATABASE_URL: databaseUrls[service],
    LATCHKEY_TRUST_PROXY: '127.0.0.1',
  }
  if (service === 'auth') {
    settings.LATCHKEY_AUDIENCES = 'orders billing'
    settings.LATCHKEY_DEFAULT_SCOPE = 'orders:read orders:write invoices:read invoices:write'
  }
  if (service !== 'auth') settings.LATCHKEY_AUTH_URL = `${edgeUrl}/auth`
  if (service === 'billing') settings.LATCHKEY_ORDERS_URL = `${edgeUrl}/orders`
  return { ...settings, ...extra }
}

async function listeningUrl(child: Child, died: AbortSignal): Promise<string> {
  for (;;) {
    const [, url] = /"msg":"Server listening at (http:[^"]+)"/.exec(child.output()) ?? []
    if (url) return url
    await sleep(20, undefined, { signal: died })
  }
}

async function isReady(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(3_000) })
    await response.body?.cancel()
    return response.ok
  } catch {
    return false
  }
}
