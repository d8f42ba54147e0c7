/** What the front page lists. */
export interface FrontPage {
  /** The address of the edge. */
  readonly url: string
  /** The names of the instances. */
  readonly instances: readonly string[]
  readonly demoEmail: string
}

/** Only this page's own style; no script, no frame. */
export const frontPageHeaders = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
}

/** The page at `/`: what runs here, and where to go next. Every value in it is the cluster's own. */
export function renderFrontPage({ url, instances, demoEmail }: FrontPage): string {
  const services = [...new Set(instances.map((name) => name.replace(/-\d+$/, '')))]
  const items = services.map((service) => {
    const names = instances.filter((name) => name.startsWith(`${service}-`)).join(', ')
    return `<li>${names} (<a href="/${service}/livez">health of ${service}</a>)</li>`
  })
  const { port } = new URL(url)
  const apps = services
    .filter((service) => service !== 'auth')
    .map((service) => `http://${service}.localhost:${port || 80}/`)
  const links = apps.map((app) => `<li><a href="${app}">${app}</a></li>`)
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Latchkey</title>
<style>body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto }</style>
</head>
<body><main>
<h1>Latchkey is running</h1>
<p>This is the edge of the local cluster, at <code>${url}</code>. Behind it run:</p>
<ul>${items.join('\n')}</ul>
<p>Apps to sign in to, with one login for all. (Safari does not keep their cookies over plain http;
use another browser, or Compose, which has HTTPS.)</p>
<ul>${links.join('\n')}</ul>
<p>The demo user is <code>${demoEmail}</code>. Its password, and commands to paste, are in the
terminal of <code>npm start</code>. Read next:</p>
<ul>
<li><a href="/auth/docs">the API of the auth service</a>, with every request and answer</li>
<li>README.md of the repository, which walks from a login to two services</li>
</ul>
</main></body>
</html>
`
}
