import { Client, type ClientConfig } from 'pg'
import { markFailedConnect } from './database-errors.ts'

interface ClientOptions {
  /** Read for every new connection, so that a rotated password is used without a restart. */
  readUrl: () => string
  /** Prepare no statement: a pooler may run the next transaction on another connection. */
  unnamed?: boolean
}

/** The class of a service's database connections, for `pg`'s pool. */
export function createClientClass({ readUrl, unnamed = false }: ClientOptions) {
  return class ServiceClient extends Client {
    constructor(config?: ClientConfig) {
      super({ ...config, connectionString: readUrl() })
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
      return super.query(unnamed && named ? { ...config, name: undefined } : config, ...rest)
    }
  }
}
