import { createService, type Service } from '@latchkey/service-kit'
import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import { auth } from '../src/app.ts'
import type { AuthConfig } from '../src/config.ts'
import { pages } from '../src/pages/pages.ts'
import { createConfig } from './support.ts'

/** What a browser sends with a form of the page itself. */
export const sameOrigin = { 'sec-fetch-site': 'same-origin' }

/** Sends a form. */
export const postForm = (
  app: FastifyInstance,
  url: string,
  fields: Record<string, string>,
  headers: Record<string, string> = sameOrigin,
) =>
  app.inject({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    payload: new URLSearchParams(fields).toString(),
  })

/** The hidden and filled-in inputs of a page, as a browser would send them. */
export function readForm(body: string): Record<string, string> {
  const decode = (text = '') =>
    text.replaceAll(/&#(\d+);/g, (_, code) => String.fromCodePoint(Number(code)))
  const attribute = (input: string, name: string) =>
    decode(new RegExp(` ${name}="([^"]*)"`).exec(input)?.[1])
  const inputs = [...body.matchAll(/<input [^>]*>/g)].map(([input]) => input)
  return Object.fromEntries(
    inputs
      .filter((input) => input.includes(' name='))
      .map((input) => [attribute(input, 'name'), attribute(input, 'value')]),
  )
}

/** The sentence about a problem on a page. */
export const errorOf = (body: string) => /role="alert">([^<]*)</.exec(body)?.[1]

/** The auth service with more pages. */
export async function startWithPages(
  t: Test,
  addRoutes: (site: FastifyInstance) => void,
  overrides: Partial<AuthConfig> = {},
): Promise<Service> {
  const app = await createService(
    {
      ...auth,
      setUp: async (app, config) => {
        await auth.setUp(app, config)
        await app.register(async (site) => {
          await site.register(pages)
          addRoutes(site)
        })
      },
    },
    await createConfig(t, overrides),
  )
  t.teardown(() => app.close())
  await app.ready()
  return app
}
