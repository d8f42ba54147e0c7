import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createService, loadConfig } from '@latchkey/service-kit'
import { createDatabase, writeKeyFile } from '@latchkey/test-kit'
import t from 'tap'
import { auth } from '../../../services/auth/src/app.ts'
import { billing } from '../../../services/billing/src/app.ts'
import { orders } from '../../../services/orders/src/app.ts'

/** What every service is told, and more than each of them reads. */
async function environment(t: Parameters<typeof createDatabase>[0]) {
  return {
    LATCHKEY_ISSUER: 'https://sso.test/auth',
    LATCHKEY_LOG_LEVEL: 'silent',
    LATCHKEY_KEYS_FILE: writeKeyFile(t).file,
    LATCHKEY_DATABASE_URL: await createDatabase(t),
    LATCHKEY_AUDIENCES: 'orders billing',
    // Nobody answers there.
    LATCHKEY_AUTH_URL: 'http://127.0.0.1:9',
    LATCHKEY_ORDERS_URL: 'http://127.0.0.1:9',
  }
}

type Env = NodeJS.ProcessEnv
const services = {
  auth: (env: Env) => createService(auth, loadConfig(auth.settings, env)),
  orders: (env: Env) => createService(orders, loadConfig(orders.settings, env)),
  billing: (env: Env) => createService(billing, loadConfig(billing.settings, env)),
}

/** The rows of docs/metrics.md for a service: names with their types. */
function documentedFor(service: string): string[] {
  const tables = readFileSync(join(import.meta.dirname, '../../../docs/metrics.md'), 'utf8')
  return [...tables.matchAll(/^\| `(\w+)` +\| (\w+) +\|.*\| ([a-z, ]+?) +\|$/gm)]
    .filter(([, , , who = '']) => who === 'all' || who.split(', ').includes(service))
    .map(([, name, type]) => `${name} ${type}`)
    .sort()
}

for (const [service, build] of Object.entries(services)) {
  t.test(`${service} has the documented metrics and no others of ours`, async (t) => {
    const app = await build(await environment(t))
    t.teardown(() => app.close())
    const { payload } = await app.inject('/metrics')
    const exposed = [...payload.matchAll(/^# TYPE (\w+) (\w+)$/gm)].map(
      ([, name, type]) => `${name} ${type}`,
    )
    const documented = documentedFor(service)
    t.strictSame(
      exposed.filter((metric) => metric.startsWith('latchkey_')).sort(),
      documented.filter((metric) => metric.startsWith('latchkey_')),
    )
    for (const metric of documented) t.ok(exposed.includes(metric), metric)
  })
}
