import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readBlocks } from '@latchkey/test-kit/guide'
import t from 'tap'
import { parse } from 'yaml'
import { root } from './project.ts'

const [override = ''] = readBlocks('docs/guides/add-your-own-service.md')
  .filter(({ section, language }) => section === 'Docker Compose' && language === 'yaml')
  .map(({ code }) => code)

/** The services of a file, its variables without defaults and messages. */
const readServices = (text: string) =>
  parse(text.replaceAll(/(?<=\$\{\w+):[-?][^}]*/g, ''), { merge: true }).services

const { auth, orders, edge } = readServices(readFileSync(join(root, 'docker-compose.yml'), 'utf8'))
const guide = readServices(override)

t.test('the override of the guide adds an audience to auth and nothing else', async (t) => {
  const audiences = `${auth.environment.LATCHKEY_AUDIENCES} shop`
  t.strictSame(guide.auth, { environment: { LATCHKEY_AUDIENCES: audiences } })
})

t.test('the service of the guide has the keys, settings and network of orders', async (t) => {
  const { HOST, ...settings } = guide.shop.environment
  t.equal(HOST, '0.0.0.0')
  t.match(orders.environment, settings)
  t.equal(Object.keys(settings).length, 3)
  const volumes = orders.volumes.map((volume: string) => volume.replace('/orders:', '/shop:'))
  t.strictSame(guide.shop.volumes, volumes)
  t.equal(guide.shop.user, orders.user)
  for (const network of guide.shop.networks) t.ok(edge.networks.includes(network), network)
})
