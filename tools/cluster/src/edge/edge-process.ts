import type { ChildProcess } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ClusterError } from '../errors/cluster-error.ts'
import { type Child, startChild } from '../processes/child.ts'
import type { Program } from '../processes/supervised-process.ts'
import { compileCache } from '../services/services.ts'
import type { EdgeCommand, EdgeReport } from './main.ts'
import type { Routes } from './upstreams.ts'

/** The edge as a process of its own, told over IPC where requests shall go. */
export class EdgeProcess {
  readonly program: Program<number>
  #port: number
  #routes: Routes = {}
  #child: Child | undefined
  #lastId = 0

  /** @param busyForMs how long the port of a cluster that was just killed may still be busy */
  constructor(port: number, logFile: string, busyForMs: number) {
    this.#port = port
    this.program = {
      name: 'edge',
      stopSignal: 'SIGTERM',
      stopTimeoutMs: 5_000,
      launch: () => {
        this.#child = startChild({
          command: process.execPath,
          args: [fileURLToPath(import.meta.resolve('./main.ts'))],
          env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
          logFile,
          ipc: true,
        })
        return this.#child
      },
      untilReady: async (child, died) => {
        this.#port = await this.#listen(child, died, Date.now() + busyForMs)
        return this.#port
      },
    }
  }

  /**
   * Sends requests to these instances from now on. Resolves when instances left out have answered what
   * they had, or at once while there is no edge.
   */
  async route(routes: Routes): Promise<void> {
    this.#routes = routes
    const edge = this.#child?.process
    if (!edge?.connected) return
    const id = ++this.#lastId
    const ended = new AbortController()
    const end = () => ended.abort()
    edge.once('exit', end)
    const answered = report(
      edge,
      ended.signal,
      ({ type, ...rest }) => type === 'routed' && 'id' in rest && rest.id === id,
    )
    edge.send({ type: 'route', id, routes } satisfies EdgeCommand, () => {})
    await answered.catch(() => {}) // The next edge is told at its start.
    edge.off('exit', end)
  }

  async #listen(child: Child, died: AbortSignal, busyUntil: number): Promise<number> {
    for (;;) {
      const answered = report(child.process, died, ({ type }) => type !== 'routed')
      child.process.send({
        type: 'listen',
        port: this.#port,
        routes: this.#routes,
      } satisfies EdgeCommand)
      const answer = await answered
      if (answer.type === 'listening') return answer.port
      if (answer.type !== 'failed') continue
      if (answer.code !== 'EADDRINUSE' || Date.now() > busyUntil)
        throw explain(answer.code, this.#port)
      await sleep(100, undefined, { signal: died })
    }
  }
}

/** The next report of the edge that fits; rejects when the signal aborts. */
function report(
  edge: ChildProcess,
  signal: AbortSignal,
  fits: (report: EdgeReport) => boolean,
): Promise<EdgeReport> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: unknown) => {
      if (fits(message as EdgeReport)) done(() => resolve(message as EdgeReport))
    }
    const onAbort = () => done(() => reject(signal.reason))
    const done = (settle: () => void) => {
      edge.off('message', onMessage)
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    edge.on('message', onMessage)
    signal.addEventListener('abort', onAbort)
  })
}

function explain(code: string, port: number): ClusterError {
  if (code === 'EADDRINUSE') {
    return new ClusterError(
      `Port ${port} is in use by another program; end it, or choose another port: npm start -- --port ${port === 9000 ? 9001 : 9000}`,
    )
  }
  if (code === 'EACCES') {
    return new ClusterError(`This user may not listen on port ${port}; choose one above 1023.`)
  }
  return new ClusterError(`The edge cannot listen on port ${port} (${code}).`)
}
