import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** A proxy that stands in front of the database servers, as HAProxy or a Kubernetes Service does. */
export interface TcpProxy {
  readonly port: number
  /**
   * Leads new connections to another port of this machine; without one, refuses them.
   *
   * @param options.keep leaves open connections where they are, instead of cutting them
   */
  switchTo(port: number | undefined, options?: { keep: boolean }): void
  /** Cuts every connection and stops listening. */
  stop(): void
}

/** Starts a proxy on any free port. It refuses connections until it is switched to a port. */
export async function startTcpProxy(): Promise<TcpProxy> {
  let target: number | undefined
  const clients = new Set<Socket>()
  const cutAll = () => {
    for (const client of clients) client.destroy()
  }
  const server = createServer({ noDelay: true }, (client) => {
    client.on('error', () => {})
    if (target === undefined) return client.destroy()
    const upstream = connect({ port: target, host: '127.0.0.1', noDelay: true })
    upstream.on('error', () => {})
    upstream.on('close', () => client.destroy())
    clients.add(client)
    client.on('close', () => {
      clients.delete(client)
      upstream.destroy()
    })
    client.pipe(upstream).pipe(client)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    switchTo(port, { keep } = { keep: false }) {
      target = port
      if (!keep) cutAll()
    },
    stop() {
      server.close()
      cutAll()
    },
  }
}
