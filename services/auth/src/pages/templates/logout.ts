import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import { type FormData, renderForm } from './form.ts'
import type { Page } from './layout.ts'
import { renderMessage } from './message.ts'

/** The button that ends the session of a browser, posted to `logout`. */
export function renderLogout({ logout }: Texts, data: FormData): Page {
  const { title, text, submit } = logout
  return {
    title,
    content: html`<h1>${title}</h1>
<p>${text}</p>
!${renderForm(data, { action: 'logout', fields: '', submit })}`,
  }
}

/** What is shown when the session of a browser has ended. */
export const renderSignedOut = ({ signedOut }: Texts): Page =>
  renderMessage({ ...signedOut, link: { href: 'login', text: signedOut.login } })
