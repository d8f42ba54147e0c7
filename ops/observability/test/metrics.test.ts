import { createService, loadConfig } from '@latchkey/service-kit'
import { createDatabase, startEmptyFeed, writeKeyFile } from '@latchkey/test-kit'
import t from 'tap'
import { documentedMetrics, services } from './files.ts'

for (const service of services) {
  t.test(`${service} has the documented metrics and no others`, async (t) => {
    const { [service]: definition } = await import(`../../../services/${service}/src/app.ts`)
    // Every service gets all variables. Nothing listens at the URL of orders.
    const config = loadConfig(definition.settings, {
      LATCHKEY_ISSUER: 'https://sso.test/auth',
      LATCHKEY_LOG_LEVEL: 'silent',
      LATCHKEY_KEYS_FILE: writeKeyFile(t).file,
      LATCHKEY_DATABASE_URL: await createDatabase(t),
      LATCHKEY_AUDIENCES: 'orders billing',
      LATCHKEY_AUTH_URL: await startEmptyFeed(t),
      LATCHKEY_ORDERS_URL: 'http://127.0.0.1:9',
    })
    const app = await createService(definition, config as Record<string, unknown>)
    t.teardown(() => app.close())
    const { payload } = await app.inject('/metrics')
    const exposed = [...payload.matchAll(/^# TYPE (\w+ \w+)$/gm)].map(([, metric = '']) => metric)
    const documented = documentedMetrics
      .filter(({ who }) => who === 'all' || (who === 'auth') === (service === 'auth'))
      .map(({ name, type }) => `${name} ${type}`)
    const ofLatchkey = (metric: string) => metric.startsWith('latchkey_')
    t.strictSame(exposed.filter(ofLatchkey).sort(), documented.filter(ofLatchkey).sort())
    for (const metric of documented) t.ok(exposed.includes(metric), metric)
  })
}
