import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { ClusterError } from '../errors/cluster-error.ts'
import { type Child, lastWords } from './child.ts'

/** How one process is started, recognised as serving, and ended. */
export interface Program<Value> {
  readonly name: string
  launch(): Child
  /** Resolves when it serves. A death meanwhile is noticed by the caller, who then aborts the signal. */
  untilReady(child: Child, died: AbortSignal): Promise<Value>
  readonly stopSignal: NodeJS.Signals
  /** After this long it is killed, in milliseconds. */
  readonly stopTimeoutMs: number
}

/** Told what happens to a process. */
export interface Watcher<Value> {
  up(value: Value): void
  down(): void
  /** One sentence for people. */
  say(sentence: string): void
}

/** A process that dies this soon after it was up has not recovered, in milliseconds. */
const quickDeathMs = 1_000
const maxFailures = 5
const readyTimeoutMs = 60_000

/** A process kept alive: started again when it dies, with growing pauses, until it is told to stop. */
export class Supervised<Value> {
  readonly #program: Program<Value>
  readonly #watcher: Watcher<Value>
  #child: Child | undefined
  #isUp = false
  #reviving: Promise<void> | undefined
  /** Starts in a row that failed or did not last. */
  #failures = 0
  #stopping = new AbortController()

  constructor(program: Program<Value>, watcher: Watcher<Value>) {
    this.#program = program
    this.#watcher = watcher
  }

  get name(): string {
    return this.#program.name
  }

  /** The process id while there is a process. */
  get pid(): number | undefined {
    return this.#child?.process.pid
  }

  /** Whether it serves, as far as is known. */
  get isUp(): boolean {
    return this.#isUp
  }

  /**
   * Starts it and waits until it serves.
   *
   * @throws ClusterError when it dies first or takes longer than 60 s
   */
  async start(): Promise<Value> {
    this.#stopping = new AbortController()
    this.#failures = 0
    return this.#launch()
  }

  /** Sends a signal; a process that dies of it is started again. */
  kill(signal: NodeJS.Signals): void {
    this.#child?.process.kill(signal)
  }

  /**
   * Ends it in order, by force after its time. It stays down.
   *
   * @returns its exit code; null when it had to be killed, or was not running
   */
  async stop(): Promise<number | null> {
    this.#stopping.abort()
    const child = this.#child?.process
    let exitCode: number | null = null
    if (child && isRunning(child)) {
      const ended = once(child, 'exit')
      child.kill(this.#program.stopSignal)
      child.kill('SIGCONT') // A frozen process takes no signal before it goes on.
      const force = setTimeout(() => child.kill('SIGKILL'), this.#program.stopTimeoutMs)
      exitCode = (await ended)[0]
      clearTimeout(force)
    }
    await this.#reviving
    return exitCode
  }

  /** Ends it at once and for good. */
  abandon(signal: 'SIGKILL' | 'SIGQUIT'): void {
    this.#stopping.abort()
    const child = this.#child?.process
    if (child && isRunning(child)) child.kill(signal)
  }

  async #launch(): Promise<Value> {
    const child = this.#program.launch()
    this.#child = child
    const died = new AbortController()
    const death = new Promise<never>((_, reject) => {
      child.process.once('error', (err) =>
        reject(new ClusterError(`${this.name} cannot be started: ${err.message}.`)),
      )
      child.process.once('exit', (code, signal) => {
        const words = lastWords(child.output())
        reject(
          new ClusterError(
            `${this.name} ${howItEnded(code, signal)} while starting${words && `: ${words}`}`,
          ),
        )
        died.abort()
      })
    })
    death.catch(() => {})
    const late = AbortSignal.timeout(readyTimeoutMs)
    try {
      const waiting = AbortSignal.any([died.signal, late])
      const value = await Promise.race([this.#program.untilReady(child, waiting), death])
      if (!isRunning(child.process)) await death
      this.#watch(child.process)
      this.#isUp = true
      this.#watcher.up(value)
      return value
    } catch (err) {
      child.process.kill('SIGKILL')
      if (!late.aborted) throw err
      throw new ClusterError(`${this.name} was not ready within ${readyTimeoutMs / 1_000} s.`)
    }
  }

  #watch(child: ChildProcess): void {
    const upSince = Date.now()
    child.once('exit', (code, signal) => {
      this.#isUp = false
      this.#watcher.down()
      if (this.#stopping.signal.aborted) return
      const lasted = child.killed || Date.now() - upSince >= quickDeathMs
      this.#failures = lasted ? 0 : this.#failures + 1
      this.#reviving = this.#revive(howItEnded(code, signal))
    })
  }

  async #revive(how: string): Promise<void> {
    const diedAt = Date.now()
    const { signal } = this.#stopping
    let reason = lastWords(this.#child?.output() ?? '')
    while (this.#failures < maxFailures) {
      try {
        // 0, 0.25 s, 0.5 s, 1 s …
        await sleep(this.#failures === 0 ? 0 : 125 * 2 ** this.#failures, undefined, { signal })
        await this.#launch()
        const seconds = ((Date.now() - diedAt) / 1_000).toFixed(1)
        this.#watcher.say(`${this.name} ${how}; started again after ${seconds} s`)
        return
      } catch (err) {
        if (signal.aborted) return
        this.#failures += 1
        reason = err instanceof Error ? err.message : String(err)
      }
    }
    this.#watcher.say(
      `${this.name} ${how} and did not come back in ${maxFailures} attempts; given up (${reason})`,
    )
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.exitCode === null && child.signalCode === null && child.pid !== undefined
}

function howItEnded(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `ended with exit code ${code}` : `was killed (${signal})`
}
