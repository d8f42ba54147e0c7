import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import { renderForm, renderHidden } from './form.ts'
import type { Page } from './layout.ts'
import { renderMessage } from './message.ts'

interface LogoutData {
  email: string
  /** What the app has asked for; it travels with the form. */
  hidden: Readonly<Record<string, string>>
}

/** The button that ends the session of a browser, posted to `logout`. */
export function renderLogout({ logout }: Texts, { email, hidden }: LogoutData): Page {
  const { title, text, submit } = logout
  const fields = Object.entries(hidden).map(([name, value]) => renderHidden(name, value))
  return {
    title,
    content: html`<h1>${title}</h1>
<p>${text(email)}</p>
!${renderForm({}, { action: 'logout', fields: fields.join('\n'), submit })}`,
  }
}

/** What is shown when the session of a browser has ended. */
export const renderSignedOut = ({ signedOut }: Texts): Page =>
  renderMessage({ ...signedOut, link: { href: 'login', text: signedOut.login } })

/** What the login page shows to a browser that is signed in. */
export const renderSignedIn = ({ signedIn }: Texts, email: string): Page =>
  renderMessage({
    title: signedIn.title,
    text: signedIn.text(email),
    link: { href: 'logout', text: signedIn.logout },
  })
