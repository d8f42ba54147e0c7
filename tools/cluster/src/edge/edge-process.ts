import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ClusterError } from '../errors/cluster-error.ts'
import { type Child, startChild } from '../processes/child.ts'
import { nodeEnv } from '../processes/node.ts'
import type { Program } from '../processes/supervised-process.ts'
import type { FrontPage } from './front-page.ts'
import type { EdgeCommand, EdgeReport } from './main.ts'
import type { Routes } from './upstreams.ts'

/** How long to retry a busy port: that of a cluster that was just killed is released late. */
const retryBusyMs = 2_000

/** The edge as its own process. It receives its routes over IPC. */
export class EdgeProcess {
  readonly program: Program<number>
  #port: number
  readonly #host: string
  #routes: Routes = {}
  #frontPage: FrontPage | undefined
  #child: Child | undefined
  #lastId = 0

  constructor({ port, host, logFile }: { port: number; host: string; logFile: string }) {
    this.#port = port
    this.#host = host
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
      untilReady: (child, signal) => this.#listen(child, signal),
    }
  }

  /**
   * Replaces the routes. Resolves when removed instances have answered their requests, or
   * immediately while the edge is down: it gets the routes when it starts again.
   */
  async route(routes: Routes): Promise<void> {
    this.#routes = routes
    if (this.#child?.isRunning()) await this.#update(this.#child).catch(() => {})
  }

  /** Publishes the page at `/`. A restarted edge publishes it too. */
  async publish(page: FrontPage): Promise<void> {
    this.#frontPage = page
    await this.route(this.#routes)
  }

  async #listen(child: Child, signal: AbortSignal): Promise<number> {
    const retryUntil = Date.now() + retryBusyMs
    for (;;) {
      const { port = this.#port, errorCode } = await this.#update(child)
      // A restarted edge keeps the port that the first one picked.
      this.#port = port
      if (errorCode === undefined) return port
      if (errorCode !== 'EADDRINUSE' || Date.now() > retryUntil) throw explain(errorCode, port)
      await sleep(100, undefined, { signal })
    }
  }

  /** Sends the port and the routes; resolves with the answer. Rejects if the edge dies first. */
  async #update({ process }: Child): Promise<EdgeReport> {
    const id = ++this.#lastId
    const filter = (message: unknown) => (message as EdgeReport).id === id
    const command: EdgeCommand = {
      id,
      host: this.#host,
      port: this.#port,
      routes: this.#routes,
      frontPage: this.#frontPage,
    }
    const [report] = await Promise.all([
      process.getOneMessage({ filter }),
      process.sendMessage({ ...command }),
    ])
    return report as EdgeReport
  }
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
  return new ClusterError(
    `The edge cannot listen on port ${port} (${code}). Check --host and --port.`,
  )
}
