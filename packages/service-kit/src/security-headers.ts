import type { IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'

/**
 * The headers that helmet sets by default. They depend on nothing of a request, so they are asked for once;
 * `@fastify/helmet` works them out for every request.
 */
export const securityHeaders: Readonly<Record<string, string>> = askHelmet()

function askHelmet(): Record<string, string> {
  const headers: Record<string, string> = {}
  const response = {
    setHeader: (name: string, value: string) => {
      headers[name.toLowerCase()] = value
    },
    removeHeader: () => {},
  }
  helmet()({} as IncomingMessage, response as unknown as ServerResponse, (err?: unknown) => {
    if (err) throw err
  })
  return headers
}
