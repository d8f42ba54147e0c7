import { createEdge } from './edge.ts'
import type { Routes } from './upstreams.ts'

/** From the cluster to the edge. */
export type EdgeCommand =
  | { readonly type: 'listen'; readonly port: number; readonly routes: Routes }
  | { readonly type: 'route'; readonly id: number; readonly routes: Routes }

/** From the edge to the cluster. `routed`: removed instances have answered all their requests. */
export type EdgeReport =
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'failed'; readonly code: string }
  | { readonly type: 'routed'; readonly id: number }

const edge = createEdge({
  onEvent: (event) => console.log(JSON.stringify({ time: Date.now(), ...event })),
})

function report(message: EdgeReport): void {
  if (process.connected) process.send?.(message)
}

process.on('message', (command: EdgeCommand) => {
  if (command.type === 'route') {
    void edge.route(command.routes).then(() => report({ type: 'routed', id: command.id }))
    return
  }
  void edge.route(command.routes)
  edge.server.once('error', (err: NodeJS.ErrnoException) =>
    report({ type: 'failed', code: err.code ?? err.message }),
  )
  // The cluster is for trying things out: other machines must not reach it.
  edge.server.listen(command.port, '127.0.0.1', () => {
    const address = edge.server.address()
    if (address && typeof address === 'object') report({ type: 'listening', port: address.port })
  })
})

process.once('SIGTERM', () => void edge.close().then(() => process.exit(0)))
// When the cluster has died, nothing tells the edge which instances are up.
process.once('disconnect', () => process.exit(0))
