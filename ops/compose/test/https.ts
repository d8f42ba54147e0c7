import { Agent, request } from 'node:https'

/** An answer, its body parsed where it is JSON. */
export interface Answer {
  readonly status: number
  readonly servedBy: string | undefined
  // biome-ignore lint/suspicious/noExplicitAny: bodies of many shapes, each checked by its test
  readonly body: any
}

interface Asking {
  readonly body?: unknown
  readonly token?: string
}

/** Asks an HTTPS server that a given authority vouches for, over connections that are kept. */
export function createClient({ port, ca }: { readonly port: number; readonly ca: string }) {
  const agent = new Agent({ ca, keepAlive: true })
  const ask = (method: string, path: string, { body, token }: Asking = {}): Promise<Answer> =>
    new Promise((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers = {
        ...(text !== undefined && {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(text),
        }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      }
      const options = { host: 'localhost', port, path, method, headers, agent, timeout: 15_000 }
      const asked = request(options, (response) => {
        let received = ''
        response.setEncoding('utf8').on('data', (text: string) => {
          received += text
        })
        response.once('error', reject)
        response.once('end', () => {
          const { statusCode: status = 0, headers } = response
          const json = headers['content-type']?.includes('json')
          const body = json ? JSON.parse(received) : received
          resolve({ status, servedBy: headers['x-served-by']?.toString(), body })
        })
      })
      asked.once('timeout', () => asked.destroy(new Error('no answer in 15 s')))
      asked.once('error', reject)
      asked.end(text)
    })
  return {
    get: (path: string, asking?: Asking) => ask('GET', path, asking),
    post: (path: string, asking?: Asking) => ask('POST', path, asking),
    close: () => agent.destroy(),
  }
}

export type Client = ReturnType<typeof createClient>
