import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { launchBrowser, skip } from '@latchkey/test-kit/browser'
import { findPython } from '@latchkey/test-kit/python'
import getPort from 'get-port'
import type { Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { addClient, callback, secretOf, signInAt, startListening } from './oauth-support.ts'
import { password, register } from './support.ts'

const python = findPython('authlib, requests', 'python3-authlib python3-requests')

t.test('Authlib signs in, refreshes and revokes', { skip: python.skip }, async (t) => {
  const { app, issuer } = await startListening(t)
  const email = await register(app)
  await addClient(app, 'orders')
  const script = new URL('authlib-client.py', import.meta.url).pathname
  const child = spawn(
    python.command,
    [script, issuer, 'orders', secretOf(app, 'orders'), callback],
    {
      env: { ...process.env, AUTHLIB_INSECURE_TRANSPORT: '1' },
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  )
  t.teardown(() => child.kill())
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value: url = '' } = await lines.next()
  const { location } = await signInAt(app, new URL(url), email)
  child.stdin.write(`${location}\n`)
  const { value: result = '' } = await lines.next()
  t.match(JSON.parse(result), {
    claims: { iss: issuer, aud: 'orders', email },
    user: { email, email_verified: false },
    revoked: 200,
  })
})

const apache = '/usr/sbin/apache2'
const modules = '/usr/lib/apache2/modules'
const lacksApache =
  !existsSync(`${modules}/mod_auth_openidc.so`) &&
  process.env.CI !== 'true' &&
  'needs Apache, in Debian apache2 and libapache2-mod-auth-openidc'

t.test("Apache's mod_auth_openidc signs in and out", { skip: skip || lacksApache }, async (t) => {
  const { app, issuer } = await startListening(t)
  const email = await register(app)
  const port = await getPort()
  const home = `http://localhost:${port}`
  await addClient(app, 'apache', {
    redirect_uris: [`${home}/private/callback`],
    post_logout_uris: [`${home}/goodbye.html`],
  })
  await startApache(t, { port, issuer, secret: secretOf(app, 'apache') })
  const browser = await launchBrowser(t)
  const context = await browser.newContext({ javaScriptEnabled: false })
  const page = await context.newPage()
  await page.goto(`${home}/private/index.html`)
  t.match(page.url(), `${issuer}/login`)
  await logInOn(page, email)
  await page.waitForURL(`${home}/private/index.html`)
  t.equal((await page.reload())?.headers()['x-user'], email)
  await page.goto(`${home}/private/callback?logout=${encodeURIComponent(`${home}/goodbye.html`)}`)
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL(`${home}/goodbye.html`)
  await page.goto(`${home}/private/index.html`)
  t.match(page.url(), `${issuer}/login`, 'asks for the password again')
})

async function startApache(
  t: Test,
  { port, issuer, secret }: { port: number; issuer: string; secret: string },
): Promise<void> {
  const loaded = ['mpm_event', 'authn_core', 'authz_core', 'authz_user', 'dir', 'mime', 'headers']
  const folder = t.testdir({
    site: {
      'goodbye.html': 'Goodbye',
      private: { 'index.html': 'Private' },
    },
    'apache.conf': `
ServerName localhost
Listen 127.0.0.1:${port}
PidFile ${t.testdirName}/pid
ErrorLog /dev/stderr
LogLevel error
User nobody
Group nogroup
${[...loaded, 'auth_openidc'].map((name) => `LoadModule ${name}_module ${modules}/mod_${name}.so`).join('\n')}
TypesConfig /etc/mime.types
DocumentRoot ${t.testdirName}/site
OIDCProviderMetadataURL ${issuer}/.well-known/openid-configuration
OIDCClientID apache
OIDCClientSecret ${secret}
OIDCRedirectURI http://localhost:${port}/private/callback
OIDCCryptoPassphrase passphrase
OIDCPKCEMethod S256
OIDCScope "openid email"
OIDCRemoteUserClaim email
<Location /private>
  AuthType openid-connect
  Require valid-user
  Header set X-User "expr=%{REMOTE_USER}"
</Location>
`,
  })
  const child = spawn(apache, ['-f', `${folder}/apache.conf`, '-D', 'FOREGROUND'], {
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  t.teardown(async () => {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  })
  while (!(await fetch(`http://127.0.0.1:${port}/goodbye.html`).catch(() => undefined))?.ok) {
    if (child.exitCode !== null) throw new Error(`Apache exited with ${child.exitCode}`)
    await sleep(50)
  }
}

const bundle = new URL('../browser/oidc-client-ts.min.js', import.meta.resolve('oidc-client-ts'))

t.test('oidc-client-ts signs in and out in a single-page app', { skip }, async (t) => {
  const port = await getPort()
  const home = `http://127.0.0.1:${port}`
  const { app, issuer } = await startListening(t, { LATCHKEY_CORS_ORIGINS: home })
  const email = await register(app)
  await addClient(app, 'spa', {
    kind: 'public',
    redirect_uris: [`${home}/`],
    post_logout_uris: [`${home}/goodbye`],
  })
  await startSinglePageApp(t, port, issuer)
  const browser = await launchBrowser(t)
  const page = await browser.newPage()
  await page.goto(`${home}/`)
  await logInOn(page, email)
  await page.getByText(`Hello ${email}`).waitFor()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('button', { name: 'Log out' }).click()
  await page.waitForURL(`${home}/goodbye?state=*`)
  await page.goto(`${home}/`)
  await page.getByLabel('Password').waitFor()
})

/** An app without a server of its own, which signs in when it is opened. */
async function startSinglePageApp(t: Test, port: number, issuer: string): Promise<void> {
  const settings = {
    authority: issuer,
    client_id: 'spa',
    redirect_uri: `http://127.0.0.1:${port}/`,
    post_logout_redirect_uri: `http://127.0.0.1:${port}/goodbye`,
    scope: 'openid email',
    loadUserInfo: true,
  }
  const script = `
    const users = new oidc.UserManager(${JSON.stringify(settings)})
    const user = location.search.includes('code=') ? await users.signinRedirectCallback() : undefined
    if (user === undefined) await users.signinRedirect()
    else document.body.append('Hello ' + user.profile.email)
    document.querySelector('button').onclick = () => users.signoutRedirect({ state: 'x' })`
  const html = `<!doctype html><title>App</title><body><button>Sign out</button>
    <script src="/oidc.js"></script><script type="module">${script}</script>`
  const server = createServer(({ url }, reply) => {
    if (url === '/oidc.js') {
      reply.setHeader('content-type', 'text/javascript')
      reply.end(readFileSync(bundle))
    } else {
      reply.setHeader('content-type', 'text/html')
      reply.end(url?.startsWith('/goodbye') ? 'Goodbye' : html)
    }
  })
  await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening))
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
}

async function logInOn(page: Page, email: string): Promise<void> {
  await page.getByLabel('E-mail address').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
}
