import axe from 'axe-core'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'

/** Fails if axe-core finds a violation of WCAG 2.2 AA or of its best practices on the page. */
export async function checkAccessibility(t: Test, page: Page, name: string): Promise<void> {
  await page.evaluate(axe.source)
  // As text: the types of browsers are not among those of the project.
  const found = await page.evaluate(`axe.run().then(({ violations }) =>
    violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html)))`)
  t.strictSame(found, [], `${name}: axe-core finds nothing`)
}
