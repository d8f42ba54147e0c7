import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createEdge } from './edge.ts'
import type { FrontPage } from './front-page.ts'
import type { Routes } from './upstreams.ts'

/** From the cluster: where to listen, and the routes from now on. */
export interface EdgeCommand {
  readonly id: number
  readonly host: string
  readonly port: number
  readonly routes: Routes
  readonly frontPage?: FrontPage | undefined
}

/**
 * The answer to a command, sent when removed instances have answered all their requests: the port,
 * or the system's error code if the edge cannot listen.
 */
export interface EdgeReport extends Listening {
  readonly id: number
}

interface Listening {
  readonly port?: number
  readonly errorCode?: string
}

const edge = createEdge({
  onEvent: (event) => console.log(JSON.stringify({ time: Date.now(), ...event })),
})
let listening: Promise<Listening> | undefined

async function listen(port: number, host: string): Promise<Listening> {
  try {
    await once(edge.server.listen(port, host), 'listening')
    return { port: (edge.server.address() as AddressInfo).port }
  } catch (err) {
    listening = undefined
    return { errorCode: (err as NodeJS.ErrnoException).code ?? String(err) }
  }
}

process.on('message', async ({ id, host, port, routes, frontPage }: EdgeCommand) => {
  if (frontPage) edge.setFrontPage(frontPage)
  const drained = edge.route(routes)
  listening ??= listen(port, host)
  const report: EdgeReport = { id, ...(await listening) }
  await drained
  if (process.connected) process.send?.(report)
})

process.once('SIGTERM', () => void edge.close().then(() => process.exit(0)))
// When the cluster has died, nothing tells the edge which instances are up.
process.once('disconnect', () => process.exit(0))
