import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterError } from '../errors/cluster-error.ts'
import { type Child, lastErrorLine } from './child.ts'
import { signalFamily } from './process-table.ts'

/** How one process is started and recognized as ready. */
export interface Program<Value> {
  readonly name: string
  launch(): Child
  /** Resolves when the process is ready. The signal aborts if it dies first or takes too long. */
  untilReady(child: Child, signal: AbortSignal): Promise<Value>
}

export interface ProcessListener {
  /** Called when the process has become ready, and when it has died. */
  onChange?(): void
  /** Receives one sentence for people. */
  onEvent?(sentence: string): void
}

/** A process that dies sooner than this has not recovered. */
const minUptimeMs = 1_000
const maxFailures = 5
const readyTimeoutMs = 60_000

/** A process that is restarted whenever it dies, with growing delays, until it is told to stop. */
export class SupervisedProcess<Value> {
  readonly name: string
  readonly #program: Program<Value>
  readonly #listener: ProcessListener
  #child: Child | undefined
  #value: Value | undefined
  #restarting: Promise<void> | undefined
  /** Starts in a row that failed or did not last. */
  #failures = 0
  #stopping = new AbortController()

  constructor(program: Program<Value>, listener: ProcessListener = {}) {
    this.name = program.name
    this.#program = program
    this.#listener = listener
  }

  /** The process ID; `undefined` before the first start. */
  get pid(): number | undefined {
    return this.#child?.process.pid
  }

  /** What the program returned when it became ready; `undefined` while it is down. */
  get value(): Value | undefined {
    return this.#value
  }

  /**
   * Starts the process and waits until it is ready.
   *
   * @throws ClusterError when it dies first or takes longer than 60 s
   */
  async start(): Promise<Value> {
    this.#stopping = new AbortController()
    this.#failures = 0
    return this.#launch()
  }

  /** Sends a signal. A process that dies of it is restarted. */
  kill(signal: NodeJS.Signals): void {
    this.#child?.process.nodeChildProcess.kill(signal)
  }

  /**
   * Stops the process for good, by force after its timeout.
   *
   * @returns its exit code; null when it had to be killed, or was not running
   */
  async stop(): Promise<number | null> {
    this.#stopping.abort()
    const child = this.#child
    let exitCode: number | undefined
    if (child?.isRunning()) {
      child.process.kill()
      // A frozen process handles no other signal, and Postgres waits for its frozen sessions.
      signalFamily(child.process.pid, 'SIGCONT')
      exitCode = (await child.process).exitCode
    }
    await this.#restarting
    return exitCode ?? null
  }

  /** Kills the process for good, without waiting. */
  abandon(signal: 'SIGKILL' | 'SIGQUIT'): void {
    this.#stopping.abort()
    this.kill(signal)
  }

  async #launch(): Promise<Value> {
    const child = this.#program.launch()
    this.#child = child
    const died = new AbortController()
    const death = child.process.then((result) => {
      died.abort()
      const reason = lastErrorLine(child.output()) || (result.cause as Error | undefined)?.message
      throw new ClusterError(
        `${this.name} ${describeExit(result)} before it was ready${reason ? `: ${reason}` : ''}`,
      )
    })
    death.catch(() => {})
    const timeout = AbortSignal.timeout(readyTimeoutMs)
    try {
      const signal = AbortSignal.any([died.signal, timeout])
      const value = await Promise.race([this.#program.untilReady(child, signal), death])
      if (!child.isRunning()) await death
      void this.#watch(child)
      this.#value = value
      this.#listener.onChange?.()
      return value
    } catch (err) {
      // A lost IPC channel is noticed shortly before the death that explains it.
      if (!(err instanceof ClusterError || timeout.aborted)) await Promise.race([death, sleep(500)])
      child.process.kill('SIGKILL')
      if (!timeout.aborted) throw err
      throw new ClusterError(`${this.name} was not ready within ${readyTimeoutMs / 1_000} s.`)
    }
  }

  async #watch(child: Child): Promise<void> {
    const upSince = Date.now()
    const result = await child.process
    this.#value = undefined
    this.#listener.onChange?.()
    if (this.#stopping.signal.aborted) return
    const wasHealthy = child.process.nodeChildProcess.killed || Date.now() - upSince >= minUptimeMs
    this.#failures = wasHealthy ? 0 : this.#failures + 1
    this.#restarting = this.#restart(describeExit(result))
  }

  async #restart(exit: string): Promise<void> {
    const diedAt = Date.now()
    const { signal } = this.#stopping
    let reason = lastErrorLine(this.#child?.output() ?? '')
    while (this.#failures < maxFailures) {
      try {
        // 0, 0.25 s, 0.5 s, 1 s …
        await sleep(this.#failures === 0 ? 0 : 125 * 2 ** this.#failures, undefined, { signal })
        await this.#launch()
        const seconds = ((Date.now() - diedAt) / 1_000).toFixed(1)
        this.#listener.onEvent?.(`${this.name} ${exit}; restarted after ${seconds} s`)
        return
      } catch (err) {
        if (signal.aborted) return
        this.#failures += 1
        reason = err instanceof Error ? err.message : String(err)
      }
    }
    this.#listener.onEvent?.(
      `${this.name} ${exit}; not restarted again after ${maxFailures} failed starts (${reason})`,
    )
  }
}

function describeExit({ exitCode, signal }: { exitCode?: number; signal?: string }): string {
  if (signal !== undefined) return `was killed (${signal})`
  return exitCode === undefined ? 'could not be started' : `exited with code ${exitCode}`
}
