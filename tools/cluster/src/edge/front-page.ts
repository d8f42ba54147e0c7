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
  const rows = services.map((service) => {
    const names = instances.filter((name) => name.startsWith(`${service}-`)).join(', ')
    return `<tr><th scope="row">${service}</th><td>${names}</td>
      <td><a href="/${service}/livez">health of ${service}</a></td></tr>`
  })
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Latchkey</title>
<style>
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 45rem; margin: 2rem auto; padding: 0 1rem }
th, td { text-align: left; padding: 0.25rem 1.5rem 0.25rem 0 }
</style>
</head>
<body>
<main>
<h1>Latchkey is running</h1>
<p>One login for all services, and each service verifies the token itself. This is the edge of the
local cluster, at <code>${url}</code>.</p>
<h2>Services</h2>
<table>
<thead><tr><th scope="col">Service</th><th scope="col">Instances</th>
<th scope="col">Health</th></tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>
<h2>Try it</h2>
<ul>
<li>The demo user is <code>${demoEmail}</code>. Its password, and commands to paste, are in the
terminal of <code>npm start</code>.</li>
<li><a href="/auth/docs">The API of the auth service</a>, with every request and answer.</li>
<li>The README of this repository walks from a login to two services.</li>
</ul>
</main>
</body>
</html>
`
}
