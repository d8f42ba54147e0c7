import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import { type FormData, linkTo, renderEmail, renderFormPage } from './form.ts'
import type { Page } from './layout.ts'

/** The form for a code to set a new password, posted to `forgot`. */
export function renderForgot(texts: Texts, data: FormData & { email?: string | undefined }): Page {
  const { title, text, submit, login } = texts.forgot
  const fields = renderEmail(texts, data.email, data.problem)
  return renderFormPage(texts, data, {
    title,
    text,
    form: { action: 'forgot', fields, submit },
    links: html`<a href="${linkTo('login', data.request)}">${login}</a>`,
  })
}
