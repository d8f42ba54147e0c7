import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ClusterError } from '../errors/cluster-error.ts'
import { type Child, startChild } from '../processes/child.ts'
import { nodeEnv } from '../processes/node.ts'
import type { Program } from '../processes/supervised-process.ts'
import type { EdgeCommand, EdgeReport } from './main.ts'
import type { Routes } from './upstreams.ts'

/** The edge as its own process. It receives its routes over IPC. */
export class EdgeProcess {
  readonly program: Program<number>
  #port: number
  #routes: Routes = {}
  #child: Child | undefined
  #lastId = 0

  /** @param retryBusyForMs how long to retry a busy port: that of a killed cluster is freed late */
  constructor(port: number, logFile: string, retryBusyForMs: number) {
    this.#port = port
    this.program = {
      name: 'edge',
      launch: () => {
        this.#child = startChild({
          command: process.execPath,
          args: [fileURLToPath(import.meta.resolve('./main.ts'))],
          env: nodeEnv(),
          logFile,
          ipc: true,
          stopSignal: 'SIGTERM',
          stopTimeoutMs: 5_000,
        })
        return this.#child
      },
      untilReady: async (child, signal) => {
        // A restarted edge keeps the port that the first one picked.
        this.#port = await this.#listen(child, signal, Date.now() + retryBusyForMs)
        return this.#port
      },
    }
  }

  /**
   * Replaces the routes. Resolves when removed instances have answered their requests, or
   * immediately while the edge is down: it gets the routes when it starts again.
   */
  async route(routes: Routes): Promise<void> {
    this.#routes = routes
    if (!this.#child?.isRunning()) return
    const id = ++this.#lastId
    const isAnswer = (report: EdgeReport) => report.type === 'routed' && report.id === id
    await ask(this.#child, { type: 'route', id, routes }, isAnswer).catch(() => {})
  }

  async #listen(child: Child, signal: AbortSignal, retryUntil: number): Promise<number> {
    for (;;) {
      const port = this.#port
      const command: EdgeCommand = { type: 'listen', port, routes: this.#routes }
      const report = await ask(child, command, ({ type }) => type !== 'routed')
      if (report.type === 'listening') return report.port
      const code = report.type === 'failed' ? report.code : ''
      if (code !== 'EADDRINUSE' || Date.now() > retryUntil) throw explain(code, port)
      await sleep(100, undefined, { signal })
    }
  }
}

/** Sends a command and waits for its report. Rejects when the edge dies first. */
async function ask(
  { process }: Child,
  command: EdgeCommand,
  isAnswer: (report: EdgeReport) => boolean,
): Promise<EdgeReport> {
  const filter = (message: unknown) => isAnswer(message as EdgeReport)
  const [report] = await Promise.all([
    process.getOneMessage({ filter }),
    process.sendMessage(command),
  ])
  return report as EdgeReport
}

function explain(code: string, port: number): ClusterError {
  if (code === 'EADDRINUSE') {
    return new ClusterError(
      `Port ${port} is in use by another program; stop it, or choose another port: npm start -- --port ${port === 9000 ? 9001 : 9000}`,
    )
  }
  if (code === 'EACCES') {
    return new ClusterError(`This user cannot listen on port ${port}; choose one above 1023.`)
  }
  return new ClusterError(`The edge cannot listen on port ${port} (${code}).`)
}
