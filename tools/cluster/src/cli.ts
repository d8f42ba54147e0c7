import { onNpmGone } from '@latchkey/test-kit/npm'
import { type Cluster, startCluster } from './cluster.ts'
import { createConsole } from './console.ts'
import { ClusterError } from './errors/cluster-error.ts'
import { type Flags, parseFlags } from './flags.ts'

/** One Ctrl-C arrives as two signals: from the terminal, and forwarded by npm. */
const sameKeyPressMs = 500

async function run(flags: Flags): Promise<void> {
  const screen = createConsole(process.stdout)
  const stopping = new AbortController()
  let cluster: Cluster | undefined
  let firstSignalAt = 0
  const onSignal = () => {
    if (firstSignalAt === 0) {
      firstSignalAt = Date.now()
      screen.line('')
      screen.line('Stopping. Press Ctrl-C again to stop immediately.')
      stopping.abort()
    } else if (Date.now() - firstSignalAt > sameKeyPressMs) {
      cluster?.abandon()
      process.exit(1)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  onNpmGone(onSignal)

  screen.title(flags)
  cluster = await startCluster({
    ...flags,
    // For a browser app that is developed beside the cluster, on a port of its own.
    env: { LATCHKEY_CORS_ORIGINS: process.env.LATCHKEY_CORS_ORIGINS },
    signal: stopping.signal,
    onReady: screen.ready,
    onEvent: screen.event,
    onMail: screen.mail,
  })
  screen.welcome(cluster, flags.audiences)
  if (!stopping.signal.aborted) {
    await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve))
  }
  await cluster.stop()
  screen.line('Stopped.')
}

// A closed terminal accepts no output. The cluster must still stop in order.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

try {
  await run(parseFlags(process.argv.slice(2)))
  process.exit(0)
} catch (err) {
  console.error(err instanceof ClusterError ? err.message : err)
  process.exit(1)
}
