import { launchBrowser, skip } from '@latchkey/test-kit/browser'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import { type MailContent, mailKinds } from '../src/mail/kinds.ts'
import { loadTemplates } from '../src/mail/templates.ts'

// The longest name that the setting accepts, as one word.
const products = ['Latchkey', 'Unternehmensverwaltungsanwendungssoftwarehersteller-&-Partner']
const verificationId = 'mW8ysKZ0Q4qmWMWxWWmm-W'
const link = `https://accounts.example.com/reset?verification_id=${verificationId}&code=12345678`
const content: MailContent = {
  code: '12345678',
  verificationId,
  link,
  expiresAt: new Date('2026-09-30T22:59:00Z'),
}

/** The ways in which mail is read: on a wide screen and on a small phone, with light and dark colours. */
const screens = [1000, 360, 320].flatMap((width) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ width, colorScheme })),
)

t.test('every mail looks right', { skip }, async (t) => {
  const browser = await launchBrowser(t)
  for (const screen of screens) {
    const page = await openPage(t, browser, screen)
    for (const kind of mailKinds) {
      for (const product of products) {
        const mail = (await loadTemplates(undefined, product)).render(kind, content)
        const name = [kind, screen.width, screen.colorScheme, product]
        await page.setContent(mail.html)
        const look = await page.evaluate(inspectPage)
        const where = name.join(' ')
        t.ok(look.contentWidth <= screen.width, `${where}: nothing overflows`)
        t.ok(look.lowestContrast >= 4.5, `${where}: contrast ${look.lowestContrast} (WCAG 1.4.3)`)
        t.ok(look.smallestText >= 13, `${where}: no tiny text`)
        t.equal(look.isDark, screen.colorScheme === 'dark', `${where}: follows the colour scheme`)
        t.equal(look.title, mail.subject, where)
        t.match(look, { images: 0, scripts: 0, language: 'en' }, where)
        const hasCode = mail.text.includes('1234 5678')
        t.match(look.code, hasCode ? { text: '1234 5678', lines: 1 } : null, where)
        if (look.code) t.ok(look.code.size >= 24 && look.code.isInside, `${where}: a large code`)
        if (hasCode) t.strictSame(look.links, [link], where)
      }
    }
    await page.close()
  }
})

/** A page without JavaScript of its own, on which every request fails the test. */
async function openPage(
  t: Test,
  browser: Browser,
  { width, colorScheme }: (typeof screens)[number],
): Promise<Page> {
  const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme })
  await page.route('**', (route) => {
    t.fail(`the mail loads ${route.request().url()}`)
    return route.abort()
  })
  return page
}

/** Runs in the browser. */
function inspectPage() {
  // The types of browsers are not among those of the project.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  const { document, getComputedStyle, Node } = globalThis as any
  type Color = [number, number, number, number]

  const parse = (text: string): Color => {
    const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number)
    return [red, green, blue, alpha]
  }
  const luminance = (color: Color) => {
    const [red = 0, green = 0, blue = 0] = color.slice(0, 3).map((part) => {
      const share = part / 255
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
    })
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
  }
  // biome-ignore lint/suspicious/noExplicitAny: an element
  const backgroundOf = (element: any): Color => {
    if (element === null) return [255, 255, 255, 1]
    const color = parse(getComputedStyle(element).backgroundColor)
    return color[3] === 0 ? backgroundOf(element.parentElement) : color
  }
  const contrasts: number[] = []
  const sizes: number[] = []
  for (const element of document.querySelectorAll('body, body *')) {
    // biome-ignore lint/suspicious/noExplicitAny: a node
    const isText = (node: any) => node.nodeType === Node.TEXT_NODE && node.textContent.trim() !== ''
    if (![...element.childNodes].some(isText)) continue
    const style = getComputedStyle(element)
    const [text, background] = [luminance(parse(style.color)), luminance(backgroundOf(element))]
    contrasts.push((Math.max(text, background) + 0.05) / (Math.min(text, background) + 0.05))
    sizes.push(Number.parseFloat(style.fontSize))
  }
  const code = document.querySelector('.code')
  const range = document.createRange()
  if (code) range.selectNodeContents(code)
  const [box, outer] = [range.getBoundingClientRect(), document.querySelector('main')]
  const frame = outer.getBoundingClientRect()
  return {
    contentWidth: document.documentElement.scrollWidth as number,
    lowestContrast: Math.min(...contrasts),
    smallestText: Math.min(...sizes),
    isDark: luminance(backgroundOf(document.body)) < 0.2,
    title: document.title as string,
    language: document.documentElement.lang as string,
    images: document.images.length as number,
    scripts: document.scripts.length as number,
    // biome-ignore lint/suspicious/noExplicitAny: an element
    links: [...document.links].map((one: any) => one.href as string),
    code: code && {
      text: code.textContent.trim() as string,
      size: Number.parseFloat(getComputedStyle(code).fontSize),
      lines: range.getClientRects().length as number,
      isInside: (box.left >= frame.left && box.right <= frame.right) as boolean,
    },
  }
}
