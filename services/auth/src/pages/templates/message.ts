import { html } from 'ghtml'
import type { Page } from './layout.ts'

interface Message {
  title: string
  text: string
  /** What to do next. */
  link?: { href: string; text: string }
}

/** A page that says one thing. */
export const renderMessage = ({ title, text, link }: Message): Page => ({
  title,
  content: html`<h1>${title}</h1>
<p>${text}</p>
!${link === undefined ? '' : html`<p><a class="button" href="${link.href}">${link.text}</a></p>`}`,
})
