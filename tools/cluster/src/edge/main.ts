import { createEdge } from './edge.ts'
import type { Routes } from './upstreams.ts'

/** What the cluster tells the edge. */
export type EdgeCommand =
  | { readonly type: 'listen'; readonly port: number; readonly routes: Routes }
  | { readonly type: 'route'; readonly id: number; readonly routes: Routes }

/** What the edge answers; `routed` comes when removed instances have nothing in their hands. */
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
  // 127.0.0.1 alone: a cluster for trying things out is nobody else's business.
  edge.server.listen(command.port, '127.0.0.1', () => {
    const address = edge.server.address()
    if (address && typeof address === 'object') report({ type: 'listening', port: address.port })
  })
})

process.once('SIGTERM', () => void edge.close().then(() => process.exit(0)))
// Without the cluster nobody would tell the edge which instances live.
process.once('disconnect', () => process.exit(0))
