import { ClusterError } from '../errors/cluster-error.ts'
import { runAsOperator } from './operator.ts'
import type { SharedSettings } from './service-program.ts'
import { appUrl, clients } from './services.ts'

/** Registers the apps that people sign in to, as an operator does. */
export async function registerApps(shared: SharedSettings): Promise<void> {
  await Promise.all(
    clients.map(async ({ name, audiences, scope }) => {
      const redirectUri = `${appUrl(name, shared.edgeUrl)}/auth/callback`
      const problem = await runAsOperator(shared, [
        ...['clients', 'add', name, '--no-secret', '--redirect-uri', redirectUri],
        ...['--audiences', audiences.join(','), '--scope', scope],
      ])
      if (problem) throw new ClusterError(`The client ${name} could not be registered: ${problem}`)
    }),
  )
}
