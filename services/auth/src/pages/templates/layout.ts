import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import type { Theme } from '../theme.ts'

/** A page without its frame. */
export interface Page {
  title: string
  /** HTML: the content of `<main>`. */
  content: string
  /** Whether it has lists that need more room than a form. */
  isWide?: boolean
  /**
   * Another source that its form may lead to, such as `https:`: Chromium applies `form-action` of a
   * Content-Security-Policy to every redirect that follows a form.
   */
  formAction?: string
}

/** A whole page. It contains no script and loads nothing. */
export const renderLayout = (texts: Texts, theme: Theme, page: Page) => html`<!doctype html>
<html lang="${texts.language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="!${theme.logo ?? 'data:,'}">
<title>${page.title} · ${theme.productName}</title>
<style>!${theme.style}</style>
</head>
<body>
<header>!${renderLogo(theme)}<span>${theme.productName}</span></header>
<main!${page.isWide ? ' class="wide"' : ''}>
!${page.content}
</main>
</body>
</html>
`

const renderLogo = ({ logo, productName }: Theme) =>
  logo === undefined
    ? html`<span class="mark" aria-hidden="true">${[...productName][0]?.toUpperCase()}</span>`
    : html`<img src="!${logo}" alt="">`
