import { createHash } from 'node:crypto'
import formbody from '@fastify/formbody'
import type { FastifyReply } from 'fastify'
import fp from 'fastify-plugin'
import { html } from 'ghtml'
import { reportProblem } from './error-handler.ts'

/** A page without its frame. */
interface Page {
  title: string
  /** HTML: the content of `<main>`. */
  content: string
}

declare module 'fastify' {
  interface FastifyReply {
    /** Sends a page, with the status that was set. */
    sendAppPage: (this: FastifyReply, page: Page) => FastifyReply
  }
}

interface PagesOptions {
  /** The name of the app, on every page. */
  name: string
  /** Logging out leads there: Chromium applies `form-action` to every redirect after a form. */
  issuer: string
}

const style = `
:root { color-scheme: light dark; --line: light-dark(#d5d9e0, #3a3f47); --accent: light-dark(#1a56c4, #8fb5ff); }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 44rem; padding: 1.5rem 1rem; font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header { display: flex; flex-wrap: wrap; gap: 1rem; align-items: center; justify-content: space-between; }
h1 { font-size: 1.5rem; margin: 0; }
table { width: 100%; border-collapse: collapse; margin: 1rem 0; }
th, td { padding: .5rem .5rem .5rem 0; text-align: left; border-bottom: 1px solid var(--line); }
th + th, td + td { text-align: right; }
form.new { display: grid; gap: 1rem; max-width: 24rem; margin-top: 2rem; }
label { display: grid; gap: .25rem; font-weight: 600; }
input, select, button { min-height: 44px; padding: .5rem .75rem; font: inherit; border: 1px solid var(--line); border-radius: 8px; }
button { cursor: pointer; font-weight: 600; }
form.new button { background: var(--accent); color: light-dark(#fff, #10131a); border-color: transparent; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
`

const styleHash = createHash('sha256').update(style).digest('base64')

/**
 * Makes the routes of an encapsulated context pages for people who sign in with `@latchkey/web`: HTML
 * without scripts, forms in place of JSON, and errors as pages.
 */
export const appPages = fp<PagesOptions>(
  async (app, { name, issuer }) => {
    const policy =
      `default-src 'none'; style-src 'sha256-${styleHash}'; base-uri 'none'; ` +
      `frame-ancestors 'none'; form-action 'self' ${new URL(issuer).origin}`
    app.removeAllContentTypeParsers()
    await app.register(formbody)
    app.decorateReply('sendAppPage', function (page) {
      // With `no-referrer`, browsers would hide the origin of a form also from this service.
      this.headers({ 'content-security-policy': policy, 'referrer-policy': 'strict-origin' })
      return this.type('text/html; charset=utf-8').send(renderPage(name, page))
    })
    app.setErrorHandler(async (err, request, reply: FastifyReply) => {
      const { code, message } = reportProblem(err, request, reply)
      const content = html`<p role="alert">${message}</p>
<p><a href="./">Back</a></p>
<p><small>${code}, request ${request.id}</small></p>`
      return reply.sendAppPage({ title: 'This did not work', content })
    })
  },
  { name: 'app-pages', fastify: '5.x' },
)

const renderPage = (name: string, { title, content }: Page) => html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title} · ${name}</title>
<style>!${style}</style>
</head>
<body>
<header><h1>${title}</h1>
<form method="post" action="auth/logout"><button>Log out</button></form></header>
<main>
!${content}
</main>
</body>
</html>
`
