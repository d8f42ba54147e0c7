import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError, ProblemError } from '@latchkey/service-kit'
import type { FastifyInstance } from 'fastify'
import t from 'tap'
import { contrastOf, readableOn, textOn } from '../src/pages/colors.ts'
import { readTyped } from '../src/pages/read-typed.ts'
import { renderLogin } from '../src/pages/templates/login.ts'
import { renderLogout, renderSignedOut } from '../src/pages/templates/logout.ts'
import { de } from '../src/pages/texts/de.ts'
import { en } from '../src/pages/texts/en.ts'
import { loadTheme } from '../src/pages/theme.ts'
import { postForm, sameOrigin, startWithPages } from './pages-support.ts'
import { issuer } from './support.ts'

const hostile = `"><script>alert('x')</script><img src=x onerror=alert(1)>`
const allowed = { canReset: true, canRegister: true }

/** A form that fails with the error whose code was typed. */
function failingPage(site: FastifyInstance) {
  site.get('/try', async (request, reply) => reply.sendPage(renderLogin(request.texts, allowed)))
  site.post(
    '/try',
    {
      config: {
        form: (request, problem) =>
          renderLogin(request.texts, { ...allowed, ...readTyped(request), problem }),
      },
    },
    async (request, reply) => {
      const { code = '' } = readTyped(request)
      if (code === 'app') {
        return reply.sendPage({ title: 'App', content: '', formAction: 'https://app.example.com' })
      }
      if (code === '') throw new Error('a detail that nobody may see')
      const headers = code === 'too_many_failures' ? { 'retry-after': '120' } : {}
      throw new ProblemError(429, code, 'A sentence in English.', headers)
    },
  )
}

t.test('pages run no script, load nothing, and cannot be framed', async (t) => {
  const app = await startWithPages(t, failingPage)
  for (const reply of [
    await app.inject({ url: '/try' }),
    await postForm(app, '/try', { code: 'invalid_credentials' }),
    await postForm(app, '/try', {}),
  ]) {
    t.match(reply.headers, {
      'content-type': 'text/html; charset=utf-8',
      'cache-control': 'no-store',
      'referrer-policy': 'strict-origin',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      vary: 'accept-language',
    })
    const [, style = ''] = /<style>(.*?)<\/style>/s.exec(reply.body) ?? []
    const hash = createHash('sha256').update(style).digest('base64')
    t.equal(
      reply.headers['content-security-policy'],
      `default-src 'none'; style-src 'sha256-${hash}'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'`,
    )
    t.notMatch(reply.body, /<script|\son\w+=|style=|https?:/, 'works under that policy')
    t.notMatch(reply.body, /(?:href|action)="(?:\/|(?!data:)\w+:)/, 'works behind any prefix')
  }
})

t.test('one page may let its form lead to the origin of an app', async (t) => {
  const app = await startWithPages(t, failingPage)
  const reply = await postForm(app, '/try', { code: 'app' })
  t.match(reply.headers['content-security-policy'], `form-action 'self' https://app.example.com;`)
  const next = await app.inject({ url: '/try' })
  t.match(next.headers['content-security-policy'], `form-action 'self';`)
})

t.test('refuses a form that another site sends', async (t) => {
  const app = await startWithPages(t, failingPage)
  const { origin } = new URL(issuer)
  const fields = { code: 'invalid_credentials' }
  // biome-ignore format: a table
  const cases: [headers: Record<string, string>, status: number][] = [
    [sameOrigin,                                                   429],
    [{ origin },                                                   429],
    [{ ...sameOrigin, origin: 'https://evil.example' },            429],
    [{},                                                           403],
    [{ origin: 'https://evil.example' },                           403],
    [{ origin: `${origin}.evil.example` },                         403],
    [{ origin: 'null' },                                           403],
    [{ 'sec-fetch-site': 'same-site', origin },                    403],
    [{ 'sec-fetch-site': 'cross-site' },                           403],
    [{ 'sec-fetch-site': 'none', origin },                         403],
  ]
  for (const [headers, status] of cases) {
    const reply = await postForm(app, '/try', fields, headers)
    t.equal(reply.statusCode, status, JSON.stringify(headers))
    t.match(reply.headers['content-type'], 'text/html')
    if (status === 403) t.match(reply.body, 'cross_site_request')
  }
  const headers = { ...sameOrigin, 'content-type': 'application/json' }
  const json = await app.inject({ method: 'POST', url: '/try', headers, payload: '{}' })
  t.equal(json.statusCode, 415)
})

t.test('shows an error at the form, with the status and the headers of the problem', async (t) => {
  const app = await startWithPages(t, failingPage)
  const typed = { email: hostile, password: 'typed-secret', code: 'too_many_failures' }
  const limited = await postForm(app, '/try', typed)
  t.equal(limited.statusCode, 429)
  t.equal(limited.headers['retry-after'], '120')
  t.match(limited.body, 'Try again in 2 minutes.')
  t.match(limited.body, '&#34;&#62;&#60;script', 'what was typed is kept, and escaped')
  t.notMatch(limited.body, /typed-secret|<script|<img/)
  const wrong = await postForm(app, '/try', { ...typed, code: 'invalid_credentials' })
  t.match(wrong.body, /<title>Error: Log in/)
  t.match(wrong.body, /id="error" role="alert">The e-mail address or the password is wrong/)
  t.match(wrong.body, /name="email"[^>]* aria-describedby="error" aria-invalid="true" autofocus/)
  const unknown = await postForm(app, '/try', { code: hostile })
  t.match(unknown.body, 'incomplete or wrong data', 'a sentence for problems without their own')
  t.notMatch(unknown.body, /A sentence in English/)
})

t.test('shows what no form can show on a page, without its details', async (t) => {
  const app = await startWithPages(t, failingPage, { LATCHKEY_LOG_LEVEL: 'silent' })
  const reply = await postForm(app, '/try', {})
  t.equal(reply.statusCode, 500)
  t.match(reply.body, `Code: internal_error<br>Request ID: ${reply.headers['x-request-id']}`)
  t.notMatch(reply.body, 'nobody may see')
  const large = await postForm(app, '/try', { email: 'x'.repeat(70_000) })
  t.equal(large.statusCode, 413)
  t.match(large.body, 'body_too_large')
  const missing = await app.inject({ url: '/try/nothing' })
  t.match(missing.headers['content-type'], 'application/problem+json', 'only pages are HTML')
})

t.test('speaks the language that the browser prefers, else English', async (t) => {
  const app = await startWithPages(t, failingPage)
  // biome-ignore format: a table
  const cases: [accepted: string | undefined, language: 'en' | 'de'][] = [
    [undefined,                          'en'],
    ['',                                 'en'],
    ['de',                               'de'],
    ['de-AT, en;q=0.5',                  'de'],
    ['fr, de;q=0.8, en;q=0.7',           'de'],
    ['en-GB,en;q=0.9,de;q=0.8',          'en'],
    ['fr',                               'en'],
    ['*',                                'en'],
    ['\u00ff;q=x,,;;',                   'en'],
  ]
  for (const [accepted, language] of cases) {
    const headers = accepted === undefined ? {} : { 'accept-language': accepted }
    const reply = await app.inject({ url: '/try', headers })
    t.equal(reply.headers['content-language'], language, String(accepted))
    t.match(reply.body, `<html lang="${language}">`)
    t.match(reply.body, { en, de }[language].login.forgot)
  }
  const german = { ...sameOrigin, 'accept-language': 'de' }
  const reply = await postForm(app, '/try', { code: 'too_many_failures' }, german)
  t.match(reply.body, 'Versuchen Sie es in 2 Minuten erneut.')
})

t.test('templates escape everything, and carry the request of the app', async (t) => {
  const request = `${hostile}&x=1`
  const problem = { sentence: hostile, fields: ['email', 'password'] }
  const pages = [
    renderLogin(en, { ...allowed, request, problem, app: hostile, email: hostile }),
    renderLogout(de, { email: hostile, hidden: { request } }),
  ]
  for (const { content } of pages) {
    t.notMatch(content, /<script|<img|onerror=/)
    t.match(content, 'name="request" value="&#34;&#62;&#60;script')
  }
  t.match(pages[0]?.content, 'href="forgot?request&#61;%22%3E%3Cscript')
  t.match(renderLogin(en, { canReset: false, canRegister: false }).content, /^(?!.*href)/s)
  t.match(renderSignedOut(de).content, 'href="login"')
})

t.test('has the name, the logo and the colour of the product', async (t) => {
  const folder = t.testdir({
    'logo.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
    'a.gif': 'GIF89a',
  })
  const logo = join(folder, 'logo.svg')
  const app = await startWithPages(t, failingPage, {
    LATCHKEY_PRODUCT_NAME: `<b>O'Neil & Co`,
    LATCHKEY_ACCENT_COLOR: '#ffd500',
    LATCHKEY_LOGO_FILE: logo,
  })
  const { body } = await app.inject({ url: '/try' })
  t.match(body, '<span>&#60;b&#62;O&#39;Neil &#38; Co</span>')
  t.match(body, 'src="data:image/svg+xml;base64,')
  t.match(body, '--accent: #ffd500; --on-accent: #000000;', 'black on yellow')
  writeFileSync(join(folder, 'large.svg'), `<svg>${' '.repeat(65_536)}</svg>`)
  const theme = { LATCHKEY_PRODUCT_NAME: 'x', LATCHKEY_ACCENT_COLOR: '#000000' }
  for (const [name, reason] of [
    ['a.gif', /neither an SVG nor a PNG/],
    ['large.svg', /larger than 64 KB/],
    ['missing.svg', /cannot be read \(ENOENT\)/],
  ] as const) {
    const loading = loadTheme({ ...theme, LATCHKEY_LOGO_FILE: join(folder, name) })
    await t.rejects(loading, new ConfigError(`LATCHKEY_LOGO_FILE: ${join(folder, name)}`))
    await t.rejects(loading, { message: reason })
  }
})

t.test('every accent colour is readable, in light and in dark', async (t) => {
  t.equal(contrastOf('#000000', '#ffffff'), 21)
  const parts = ['00', '55', 'aa', 'ff']
  const colors = parts.flatMap((r) => parts.flatMap((g) => parts.map((b) => `#${r}${g}${b}`)))
  const lowest = colors.map((color) => {
    const links = ['#ffffff', '#1e2126'].map((card) => contrastOf(readableOn(card, color), card))
    return Math.min(contrastOf(color, textOn(color)), ...links)
  })
  t.ok(Math.min(...lowest) >= 4.5)
})
