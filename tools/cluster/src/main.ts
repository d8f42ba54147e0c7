import { type Cluster, startCluster } from './cluster.ts'
import { createConsole } from './console.ts'
import { ClusterError, UsageError } from './errors/cluster-error.ts'
import { type Flags, help, parseFlags } from './flags.ts'

/** npm passes Ctrl-C on to us, though the terminal has told us already: one press, two signals. */
const sameKeyPressMs = 500

async function main(): Promise<void> {
  const flags = parseFlags(process.argv.slice(2))
  if (flags.help) console.log(help)
  else await run(flags)
}

async function run(flags: Flags): Promise<void> {
  const screen = createConsole(process.stdout)
  const stopping = new AbortController()
  let cluster: Cluster | undefined
  let firstSignalAt = 0
  const onSignal = () => {
    if (firstSignalAt === 0) {
      firstSignalAt = Date.now()
      screen.line('')
      screen.line('Stopping; Ctrl-C again forces.')
      stopping.abort()
    } else if (Date.now() - firstSignalAt > sameKeyPressMs) {
      cluster?.abandon()
      process.exit(1)
    }
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)

  screen.title(flags)
  cluster = await startCluster({
    ...flags,
    signal: stopping.signal,
    onReady: (part, detail) => screen.ready(part, detail),
    onEvent: (sentence) => screen.event(sentence),
  })
  screen.welcome(cluster)
  if (!stopping.signal.aborted) {
    await new Promise((resolve) => stopping.signal.addEventListener('abort', resolve))
  }
  await cluster.stop()
  screen.line('Stopped.')
}

// A terminal that went away takes no more output; stopping in order matters more.
process.stdout.on('error', () => {})
process.stderr.on('error', () => {})

try {
  await main()
  process.exit(0)
} catch (err) {
  console.error(err instanceof ClusterError ? err.message : err)
  process.exit(err instanceof UsageError ? 2 : 1)
}
