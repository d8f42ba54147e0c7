import axe from 'axe-core'
import type { Page } from 'playwright-core'
import type { Test } from 'tap'

/** Fails if axe-core finds a violation of WCAG 2.2 AA or of its best practices on the page. */
export async function checkAccessibility(t: Test, page: Page, name: string): Promise<void> {
  await page.evaluate(axe.source)
  const found = await page.evaluate(async () => {
    // The types of browsers are not among those of the project.
    // biome-ignore lint/suspicious/noExplicitAny: see above
    const { violations } = await (globalThis as any).axe.run()
    // biome-ignore lint/suspicious/noExplicitAny: see above
    return violations.map(({ id, nodes }: any) => `${id}: ${nodes.map(({ html }: any) => html)}`)
  })
  t.strictSame(found, [], `${name}: axe-core finds nothing`)
}
