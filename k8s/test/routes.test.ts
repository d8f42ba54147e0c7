import t from 'tap'
import { visitRoutes } from '../../packages/verify/src/fastify-instance.ts'
import { startAuth } from '../../services/auth/test/support.ts'
import { findPublished, inwardPaths, leadsTo } from './publications.ts'
import { renderOverlay } from './render.ts'

/** Routes of auth for people who develop with it. */
const isDocumentation = (path: string) => /^\/docs\b/.test(path)

t.test('every route of auth is public, except those that nobody outside requests', async (t) => {
  const app = await startAuth(t)
  const routes = new Set<string>()
  visitRoutes(app, ({ config: { url } }) => routes.add(String(url)))
  t.ok(routes.has('/oauth/token') && routes.has('/login') && routes.has('/v1/admin/clients'))
  const isInward = (path: string) =>
    isDocumentation(path) || inwardPaths('auth').some((inward) => path.startsWith(inward))
  for (const overlay of ['dev', 'production']) {
    const published = findPublished(renderOverlay(overlay)).filter(
      ({ service }) => service === 'auth',
    )
    for (const path of routes) {
      const isPublic = published.some((one) => leadsTo(one, path))
      t.equal(isPublic, !isInward(path), `${overlay}: ${path}`)
    }
    for (const { inner, isExact } of published) {
      t.ok(!isExact || routes.has(inner), `${overlay}: ${inner} exists`)
    }
  }
})
