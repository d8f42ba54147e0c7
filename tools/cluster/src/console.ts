import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { Cluster } from './cluster.ts'
import type { Flags } from './flags.ts'

/** What a person at the terminal sees of a cluster. Colours on a terminal only. */
export interface ClusterConsole {
  title(flags: Flags): void
  /** A part of the start is done. */
  ready(part: string, detail: string): void
  /** Something happened. */
  event(sentence: string): void
  /** What to try. */
  welcome(cluster: Cluster): void
  line(text: string): void
}

/** Writes to a stream. */
export function createConsole(stream: WriteStream): ClusterConsole {
  const startedAt = Date.now()
  const line = (text: string) => void stream.write(`${text}\n`)
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    styleText(format, text, { stream })
  const elapsed = () => `${((Date.now() - startedAt) / 1_000).toFixed(1)} s`
  return {
    line,
    title({ instances, databaseUrl }) {
      const database = databaseUrl === undefined ? 'embedded PostgreSQL' : 'your PostgreSQL'
      line(style('bold', 'Latchkey'))
      line(
        `Starting ${database}, the edge, and ${instances} of each service: auth, orders, billing.`,
      )
      line('')
    },
    ready(part, detail) {
      line(
        `  ${style('green', '✓')} ${part.padEnd(9)} ${elapsed().padStart(6)}   ${style('dim', detail)}`,
      )
    },
    event(sentence) {
      line(`  ${style('yellow', '!')} ${sentence}`)
    },
    welcome({ url, demoUser }) {
      line('')
      line(`Ready in ${elapsed()} at ${style('bold', url)}`)
      line(
        `Demo user ${style('bold', demoUser.email)} with password ${style('bold', demoUser.password)}`,
      )
      line('')
      line('Log in once, and every instance of every service takes the token:')
      line('')
      for (const command of commandsToTry(url, demoUser)) line(style('cyan', command))
      line('')
      line('Ctrl-C stops everything.')
    },
  }
}

function commandsToTry(url: string, { email, password }: Cluster['demoUser']): string[] {
  const credentials = JSON.stringify({ email, password })
  return [
    `token=$(curl -s ${url}/auth/v1/login -H 'content-type: application/json' \\`,
    `  -d '${credentials}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `for service in orders orders billing billing; do`,
    `  curl -si ${url}/$service/whoami -H "authorization: Bearer $token" | grep -i x-served-by`,
    `done`,
  ]
}
