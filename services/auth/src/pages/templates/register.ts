import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import { type FormData, linkTo, renderEmail, renderFormPage, renderNewPassword } from './form.ts'
import type { Page } from './layout.ts'

interface RegisterData extends FormData {
  email?: string | undefined
  /** The fewest characters of the password; `undefined` if it is chosen together with the code. */
  minLength?: number | undefined
}

/** The form for a new account, posted to `register`. */
export function renderRegister(texts: Texts, data: RegisterData): Page {
  const { problem, request, email, minLength } = data
  const { title, text, submit, submitOpen, login } = texts.register
  const isOpen = minLength !== undefined
  const address = renderEmail(texts, email, problem)
  const password = isOpen ? renderNewPassword(texts, minLength, problem) : ''
  return renderFormPage(texts, data, {
    title,
    text: isOpen ? undefined : text,
    form: {
      action: 'register',
      fields: `${address}\n${password}`,
      submit: isOpen ? submitOpen : submit,
    },
    links: html`<a href="${linkTo('login', request)}">${login}</a>`,
  })
}
