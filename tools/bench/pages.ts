/** `npm run bench -- pages`: the pages of a login on the local cluster, and logins by form. */
import { startCluster } from '@latchkey/cluster/cluster'
import { appUrl } from '@latchkey/cluster/services/services'
import { send } from '@latchkey/test-kit/client'
import { Browser } from '@latchkey/test-kit/plain-browser'
import { compare, type Measurement, measure, median } from './measure.ts'
import { report, under } from './report.ts'

/** With the warm-up, less than the redirects that one browser may have in a minute. */
const pageRounds = 200
const warmUp = 40
/** Logins of one round, and how many at a time. */
const logins = { count: 24, parallel: 6, rounds: 9, warmUp: 1 }
const barMs = 10

const cluster = await startCluster({
  ephemeral: true,
  port: 0,
  instances: 2,
  env: { LATCHKEY_LOGIN_LIMIT: '1000000' },
})
const { pages, flows } = await measureAll().finally(() => cluster.stop())

async function measureAll() {
  const { url: edge, demoUser } = cluster
  const orders = appUrl('orders', edge)
  const newBrowser = () => new Browser({ [edge]: [edge], [orders]: [edge] })
  /** Opens orders as far as the login page. */
  const reachLogin = async (browser: Browser) => (await browser.visit(`${orders}/`)).url
  const submit = (browser: Browser, { searchParams }: URL) =>
    browser.submit(`${edge}/auth/login`, {
      ...demoUser,
      request: searchParams.get('request') ?? '',
    })

  const [stranger, person] = [newBrowser(), newBrowser()]
  const loginPage = await reachLogin(stranger)
  await person.follow(await submit(person, await reachLogin(person)))
  const authorize = (await person.open(`${orders}/auth/login`)).headers.get('location') ?? ''
  const time =
    (browser: Browser, url: URL | string, status = 200): Measurement =>
    async () => {
      const started = performance.now()
      const answer = await browser.open(url)
      if (answer.status !== status) throw new Error(`${url} answered ${answer.status}`)
      return performance.now() - started
    }
  console.log(`${pageRounds} requests for each page …`)
  const pages = await measure(
    {
      'login page': time(stranger, loginPage),
      'page to register': time(stranger, `${edge}/auth/register`),
      'account page': time(person, `${edge}/auth/account`),
      'redirect to an app, signed in': time(person, authorize, 303),
      'page of orders, signed in': time(person, `${orders}/`),
    },
    pageRounds,
    warmUp,
  )

  /** Logins per second. */
  const perSecond =
    (logIn: () => Promise<number>): Measurement =>
    async () => {
      let left = logins.count
      const started = performance.now()
      const work = async () => {
        while (left-- > 0) {
          const status = await logIn()
          if (status >= 400) throw new Error(`a login was answered ${status}`)
        }
      }
      await Promise.all(Array.from({ length: logins.parallel }, work))
      return (logins.count * 1_000) / (performance.now() - started)
    }
  console.log(`${logins.rounds} rounds of ${logins.count} logins by form and by API …`)
  const flows = await measure(
    {
      form: perSecond(async () => (await submit(newBrowser(), loginPage)).status),
      API: perSecond(async () => (await send(`${edge}/auth/v1/login`, { body: demoUser })).status),
    },
    logins.rounds,
    logins.warmUp,
  )
  return { pages, flows }
}

const ratio = compare(flows, 'form', 'API')
const toBar = ([label, values]: [string, readonly number[]]) => ({
  label,
  value: median(values),
  isOurs: true,
})
await report({
  name: 'pages',
  title: 'Pages of a login',
  method:
    'One request at a time, through the edge of the local cluster with two instances of each service.\n' +
    `Logins: ${logins.count} in a round, ${logins.parallel} at a time, with the default cost of a hash. How many logins by API the\n` +
    'processors reach, compared with the hash alone, is what the drill `login-flood` measures.',
  measures: [
    ...[...pages].map(([name, values]) => under(name, median(values), barMs, 'ms', 1)),
    {
      what: 'logins by form, against logins by API',
      result: `${ratio.toFixed(2)} × as many per second`,
      bar: '0.9 × as many',
      isMet: ratio >= 0.9,
    },
  ],
  panels: {
    'time of a page, in ms': [...pages].map(toBar),
    'logins per second': [...flows].map(toBar),
  },
  unit: '',
})
