import { readFileSync } from 'node:fs'
import t from 'tap'
import { renderHelp } from '../../packages/service-kit/src/help.ts'
import { auth } from '../../services/auth/src/app.ts'
import { billing } from '../../services/billing/src/app.ts'
import { orders } from '../../services/orders/src/app.ts'
import { configurationPage, renderConfiguration } from '../generate/configuration.ts'

t.test('docs/configuration.md is what `npm run docs` writes', async (t) => {
  t.equal(readFileSync(configurationPage, 'utf8'), renderConfiguration())
})

t.test('every setting has a description, and the help prints it', async (t) => {
  for (const service of [auth, orders, billing]) {
    const help = renderHelp(service).replaceAll(/\s+/g, ' ')
    for (const [name, setting] of Object.entries(service.settings.properties)) {
      const { description = '' } = setting as { description?: string }
      t.match(description, /\.$/, name)
      t.ok(help.includes(name) && help.includes(description), name)
    }
  }
})
