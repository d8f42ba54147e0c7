import { connect, type Socket } from 'node:net'
import { Client, type ClientConfig } from 'pg'
import { markFailedConnect, UnconfirmedCommitError } from './database-errors.ts'

interface ClientOptions {
  /** Read for every new connection, so that a rotated password is used without a restart. */
  readUrl: () => string
  /** Prepare no statement: a pooler may run the next transaction on another connection. */
  unnamed?: boolean
  /**
   * Ends a commit that has waited this long for a synchronous standby, in milliseconds. The
   * server's own time limit of a statement does not apply to that wait, which would occupy the
   * server's process also when the client has left.
   */
  cancelAfterMs?: number
}

/** The part of `pg`'s client that a request to cancel needs. Its type lacks the last three. */
interface Connected {
  readonly host: string
  readonly port: number
  readonly connection: { readonly stream: Socket }
  readonly processID: number
  readonly secretKey: number
}

/** The class of a service's database connections, for `pg`'s pool. */
export function createClientClass({ readUrl, unnamed = false, cancelAfterMs }: ClientOptions) {
  return class ServiceClient extends Client {
    #isUnconfirmed = false

    constructor(config?: ClientConfig) {
      super({ ...config, connectionString: readUrl() })
      // PostgreSQL reports a commit whose wait for a standby was cancelled as a warning, and then
      // as a success. The name of the routine does not depend on the server's language.
      this.on('notice', ({ routine }) => {
        if (routine === 'SyncRepWaitForLSN') this.#isUnconfirmed = true
      })
    }

    // biome-ignore lint/suspicious/noExplicitAny: with a callback, and without one
    override connect(callback?: any): any {
      const fail = (err: Error) => Promise.reject(markFailedConnect(err))
      if (callback === undefined) return super.connect().catch(fail)
      super.connect((err: Error | null) => callback(err && markFailedConnect(err)))
    }

    // biome-ignore lint/suspicious/noExplicitAny: one of many overloads, all passed on
    override query(...[config, ...rest]: any[]): any {
      const named = typeof config === 'object' && config !== null && 'name' in config
      const statement = unnamed && named ? { ...config, name: undefined } : config
      const callback = rest.at(-1)
      const settle = this.#watch()
      if (typeof callback === 'function') {
        const done = (err: Error | undefined, result: unknown) => callback(settle(err), result)
        return super.query(statement, ...rest.slice(0, -1), done as never)
      }
      return super.query(statement, ...rest).then(
        (result: unknown) => {
          const err = settle(undefined)
          if (err) throw err
          return result
        },
        (err: Error) => {
          throw settle(err)
        },
      )
    }

    /** @returns tells the error of the statement, if it failed or its commit is not confirmed */
    #watch(): (err: Error | undefined) => Error | undefined {
      let isCancelled = false
      const timer =
        cancelAfterMs &&
        setTimeout(() => {
          isCancelled = true
          cancel(this as unknown as Connected)
        }, cancelAfterMs)
      return (err) => {
        clearTimeout(timer || undefined)
        // A late request would cancel the next statement: the pool drops a client that is ending.
        if (isCancelled) this.end().catch(() => {})
        const isUnconfirmed = this.#isUnconfirmed
        this.#isUnconfirmed = false
        return err ?? (isUnconfirmed ? new UnconfirmedCommitError() : undefined)
      }
    }
  }
}

/** Longest time to deliver a request to cancel, in milliseconds. */
const cancelTimeoutMs = 1_000

/**
 * Sends a CancelRequest (PostgreSQL, section 54.2.8) over a connection of its own, which the server
 * or a pooler assigns by the key. If it fails, the request ends at its own time limit.
 */
function cancel({ host, port, connection, processID, secretKey }: Connected): void {
  const message = Buffer.alloc(16)
  message.writeInt32BE(16)
  message.writeInt32BE(80_877_102, 4)
  message.writeInt32BE(processID, 8)
  message.writeInt32BE(secretKey, 12)
  // The name may mean another server by now.
  const address = { host: connection.stream.remoteAddress ?? host, port }
  const local = { path: `${host}/.s.PGSQL.${port}` }
  const socket = connect(host.startsWith('/') ? local : address, () => socket.end(message))
  socket.setTimeout(cancelTimeoutMs, () => socket.destroy())
  socket.on('error', () => socket.destroy())
}
