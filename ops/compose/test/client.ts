import type { LookupFunction } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'undici'

/** An answer. The body is parsed if it is JSON. */
export interface Answer {
  readonly status: number
  readonly servedBy: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes, each checked by its test
  readonly body: any
}

/** Every host is this machine, also where its resolver does not know `orders.localhost`. */
const lookup: LookupFunction = (_host, { all }, done) =>
  all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4)

/**
 * Connects to an HTTPS server with a certificate of the given authority. Sends paths unchanged, and
 * again while a service answers 503 because this machine is busy.
 */
export function createClient(port: number, ca: string, host = 'localhost') {
  const options = { connect: { ca, lookup }, headersTimeout: 15_000, bodyTimeout: 15_000 }
  const pool = new Pool(`https://${host}:${port}`, options)
  const send =
    (method: 'GET' | 'POST') =>
    async (path: string, content: { body?: object; token?: string } = {}): Promise<Answer> => {
      const headers: Record<string, string> = {}
      if (content.body) headers['content-type'] = 'application/json'
      if (content.token) headers.authorization = `Bearer ${content.token}`
      const sent = content.body ? JSON.stringify(content.body) : null
      const response = await pool.request({ method, path, headers, body: sent })
      const isJson = String(response.headers['content-type']).includes('json')
      const body: Answer['body'] = await (isJson ? response.body.json() : response.body.text())
      const servedBy = response.headers['x-served-by']?.toString()
      const { statusCode: status } = response
      const isBusy = status === 503 && servedBy !== undefined
      if (!isBusy) return { status, servedBy, body }
      await sleep(500)
      return send(method)(path, content)
    }
  return { get: send('GET'), post: send('POST'), close: () => pool.destroy() }
}

export type Client = ReturnType<typeof createClient>
