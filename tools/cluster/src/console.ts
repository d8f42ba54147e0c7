import { join } from 'node:path'
import type { WriteStream } from 'node:tty'
import { styleText } from 'node:util'
import type { Cluster } from './cluster.ts'
import { shortenPath } from './data/data-folder.ts'
import { serviceNameOf } from './data/keys.ts'
import type { Flags } from './flags.ts'
import { appUrl, clients, resourceServiceNames, serviceNames } from './services/services.ts'

/** Prints the progress of a cluster, with colours if the stream is a terminal. */
export function createConsole(stream: WriteStream) {
  const startedAt = Date.now()
  const line = (text: string) => void stream.write(`${text}\n`)
  const style = (format: Parameters<typeof styleText>[0], text: string) =>
    styleText(format, text, { stream })
  const elapsed = () => `${((Date.now() - startedAt) / 1_000).toFixed(1)} s`
  return {
    line,
    title({ instances, databaseUrl }: Flags) {
      const database = databaseUrl === undefined ? 'embedded PostgreSQL' : 'your PostgreSQL'
      const services = serviceNames.join(', ')
      line(style('bold', 'Latchkey'))
      line(`Starting ${database}, the edge, and ${instances} of each service: ${services}.\n`)
    },
    ready(part: string, detail: string) {
      const mark = style('green', '✓')
      line(`  ${mark} ${part.padEnd(9)} ${elapsed().padStart(6)}   ${style('dim', detail)}`)
    },
    event(sentence: string) {
      line(`  ${style('yellow', '!')} ${sentence}`)
    },
    mail(sentence: string) {
      line(`  ${style('cyan', '@')} ${sentence}`)
    },
    welcome(cluster: Cluster, audiences: Flags['audiences'] = []) {
      const { url, demoUser } = cluster
      const { email, password } = demoUser
      line(`\nReady in ${elapsed()} at ${style('bold', url)}`)
      line(`Demo user ${style('bold', email)} with password ${style('bold', password)}\n`)
      line('Sign in once; every app opens (each with cookies of its own):\n')
      for (const { name } of clients) line(`  ${style('cyan', `${appUrl(name, url)}/`)}`)
      line('\nOr log in with curl; every instance of every service accepts the token:\n')
      for (const command of exampleCommands(url, { email, password })) line(style('cyan', command))
      for (const audience of audiences) line(describeVerifier(cluster, audience))
      const folder = shortenPath(cluster.mailFolder)
      line(`\nMail is kept in ${folder}, and its codes are printed here. For a first admin, run:\n`)
      for (const command of adminCommands(cluster)) line(style('cyan', command))
      line('\nCtrl-C stops everything.')
    },
  }
}

/** The settings of a verifier outside of the cluster. */
function describeVerifier({ url, serviceKeys }: Cluster, audience: string): string {
  const service = serviceNameOf(audience)
  return [
    `\nTokens are also for ${audience}. A service of your own verifies them with:`,
    `  key file    ${shortenPath(join(serviceKeys, service, 'keys.json'))}`,
    `  issuer      ${url}/auth, which is also the URL of the revocation feed`,
    `  audience    ${audience}`,
    `  service     ${service}`,
  ].join('\n')
}

/** npm runs a script in the root of the repository, where `npm start` runs too. */
function adminCommands({ url, keysFile }: Cluster): string[] {
  return [
    `export LATCHKEY_AUTH_URL=${url}/auth LATCHKEY_ISSUER=${url}/auth`,
    `export LATCHKEY_KEYS_FILE=${shortenPath(keysFile)}`,
    'npm run latchkey -- users create --email you@example.com --admin',
  ]
}

function exampleCommands(url: string, credentials: Cluster['demoUser']): string[] {
  const calls = resourceServiceNames.flatMap((name) => [name, name])
  return [
    `token=$(curl -s ${url}/auth/v1/login -H 'content-type: application/json' \\`,
    `  -d '${JSON.stringify(credentials)}' | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
    `for service in ${calls.join(' ')}; do`,
    `  curl -si ${url}/$service/whoami -H "authorization: Bearer $token" | grep -i x-served-by`,
    `done`,
  ]
}
