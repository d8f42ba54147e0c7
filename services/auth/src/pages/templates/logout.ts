import type { Texts } from '../texts/en.ts'
import { renderFormPage, renderHidden } from './form.ts'
import type { Page } from './layout.ts'
import { renderMessage } from './message.ts'

interface LogoutData {
  email: string
  /** What the app has asked for; it travels with the form. */
  hidden: Readonly<Record<string, string>>
}

/** The button that ends the session of a browser, posted to `logout`. */
export function renderLogout(texts: Texts, { email, hidden }: LogoutData): Page {
  const { title, text, submit } = texts.logout
  const fields = Object.entries(hidden).map(([name, value]) => renderHidden(name, value))
  const form = { action: 'logout', fields: fields.join('\n'), submit }
  return renderFormPage(texts, {}, { title, text: text(email), form })
}

/** What is shown when the session of a browser has ended. */
export const renderSignedOut = ({ signedOut }: Texts): Page =>
  renderMessage({ ...signedOut, link: { href: 'login', text: signedOut.login } })

/** The same, when all sessions of the user have ended. */
export const renderSignedOutEverywhere = ({ signedOut }: Texts): Page =>
  renderMessage({
    title: signedOut.title,
    text: signedOut.everywhere,
    link: { href: 'login', text: signedOut.login },
  })
