import accepts from '@fastify/accepts'
import formbody from '@fastify/formbody'
import { reportProblem } from '@latchkey/service-kit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { refuseCrossSite } from './cross-site.ts'
import { describeProblem, type PageProblem } from './describe-problem.ts'
import { chooseTexts } from './language.ts'
import { renderError } from './templates/error.ts'
import { type Page, renderLayout } from './templates/layout.ts'
import type { Texts } from './texts/en.ts'
import { loadTheme } from './theme.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** On a page: its texts, in the language of the browser. */
    readonly texts: Texts
  }
  interface FastifyReply {
    /** Sends a page, with the status that was set. */
    sendPage: (this: FastifyReply, page: Page) => FastifyReply
  }
  interface FastifyContextConfig {
    /**
     * The form that was posted to this page: it is shown again, with the problem. `undefined`: an
     * error page is shown.
     */
    form?: (request: FastifyRequest, problem: PageProblem) => Page | undefined
  }
}

/**
 * Makes the routes of an encapsulated context pages: HTML without scripts under a strict
 * Content-Security-Policy, forms in place of JSON, and errors as pages. They need no token.
 *
 * What a route throws is shown at its form (`config.form`) if the form has arrived, otherwise on an
 * error page. Status, headers and log are those of a problem response.
 */
export const pages = fp(
  async (app) => {
    const { config } = app
    const theme = await loadTheme(config)
    const policy = (formAction = '') =>
      `default-src 'none'; style-src ${theme.styleSource}; img-src 'self' data:; ` +
      `form-action 'self'${formAction && ` ${formAction}`}; frame-ancestors 'none'; base-uri 'none'`
    const headers = {
      'content-security-policy': policy(),
      // The address of a page may contain a code. With `no-referrer`, browsers would hide the origin
      // of a form also from this service; see `refuseCrossSite`.
      'referrer-policy': 'strict-origin',
      'x-frame-options': 'DENY',
      'cache-control': 'no-store',
      vary: 'accept-language',
    }

    app.removeAllContentTypeParsers()
    await app.register(formbody)
    await app.register(accepts)
    app.decorateRequest('texts', {
      getter() {
        return chooseTexts(this)
      },
    })
    app.decorateReply('sendPage', function (page) {
      const { texts } = this.request
      if (page.formAction) this.header('content-security-policy', policy(page.formAction))
      return this.type('text/html; charset=utf-8')
        .header('content-language', texts.language)
        .send(renderLayout(texts, theme, page))
    })
    app.addHook('onRoute', (route) => {
      route.config = { ...route.config, public: true }
    })
    app.addHook('onRequest', async (_request, reply) => void reply.headers(headers))
    app.addHook('onRequest', refuseCrossSite(config.LATCHKEY_ISSUER))

    const facts = {
      minLength: config.LATCHKEY_PASSWORD_MIN_LENGTH,
      product: config.LATCHKEY_PRODUCT_NAME,
    }
    app.setErrorHandler(async (err, request: FastifyRequest, reply: FastifyReply) => {
      const problem = reportProblem(err, request, reply)
      const retryAfter = reply.getHeader('retry-after')
      const described = describeProblem(problem, request.texts, { ...facts, retryAfter })
      const { form } = request.routeOptions.config
      const hasForm = request.body !== undefined && problem.statusCode !== 500
      const shown = hasForm ? form?.(request, described) : undefined
      if (shown) return reply.sendPage(shown)
      const { code } = problem
      const details = { sentence: described.sentence, code, requestId: request.id }
      return reply.sendPage(renderError(request.texts, details))
    })
  },
  { name: 'pages', fastify: '5.x' },
)
