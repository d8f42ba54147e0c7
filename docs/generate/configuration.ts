import { describeSettings, wrap } from '../../packages/service-kit/src/help.ts'
import { auth } from '../../services/auth/src/app.ts'
import { billing } from '../../services/billing/src/app.ts'
import { orders } from '../../services/orders/src/app.ts'

/** Where `npm run docs` writes the reference. */
export const configurationPage = new URL('../configuration.md', import.meta.url)

const introduction = `# Configuration

<!-- Written by \`npm run docs\` from the schemas of the settings. -->

Settings are environment variables. \`node src/main.ts --help\` prints those of a service, in its
folder or in its image (\`docker run --rm latchkey/auth:0.1.0 --help\`).

- A service refuses to start with a wrong setting. The error names every wrong setting, but no
  value.
- Each setting \`NAME\` may be given as a file instead: \`NAME_FILE=/run/secrets/name\`. One line
  break at its end does not belong to the value.
- An empty variable counts as unset. Quotes and white space around a value are refused.
- \`main.ts migrate\` needs \`LATCHKEY_DATABASE_URL\` alone.
- The driver of PostgreSQL also reads its own variables, for example \`PGSSLMODE\`.
`

const bounds = `## Bounds that are not settings

| what                                         | bound                             | then                       |
| -------------------------------------------- | --------------------------------- | -------------------------- |
| body of a request                            | 64 KiB                            | 413 \`body_too_large\`       |
| headers of a request                         | 16 KiB                            | 431 \`headers_too_large\`    |
| time for a request to arrive, including body | 10 s, checked every second        | 408 \`request_timeout\`      |
| connection without traffic                   | 60 s                              | closed                     |
| wait for a database connection               | 2 s                               | 503 \`database_unavailable\` |
| database statement                           | 4 s                               | 503 \`database_unavailable\` |
| delay of the event loop                      | 0.5 s on average over a second    | 503 \`overloaded\`           |
| requests in progress after SIGTERM           | \`LATCHKEY_DRAIN_SECONDS\` and 10 s | closed                     |
`

/** Renders the reference of all settings: first those that all services have. */
export function renderConfiguration(): string {
  const services = [auth, orders, billing]
  const sections = new Map<string, string[]>()
  for (const service of services) {
    for (const { name, facts, description } of describeSettings(service.settings)) {
      const owners = services.filter(({ settings }) => name in settings.properties)
      if (owners[0] !== service) continue
      const names = owners.map((owner) => owner.name)
      const title = owners.length === services.length ? 'Every service' : names.join(' and ')
      const item = wrap(`**\`${name}\`**: ${facts} ${description}`, 98, '  ')
      sections.set(title, [...(sections.get(title) ?? []), `-${item.slice(1)}`])
    }
  }
  const rendered = [...sections].map(([title, items]) => `## ${title}\n\n${items.join('\n')}\n`)
  return [introduction, ...rendered, bounds].join('\n')
}
