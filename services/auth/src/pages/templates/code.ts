import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import {
  type FormData,
  linkTo,
  renderField,
  renderFormPage,
  renderHidden,
  renderNewPassword,
} from './form.ts'
import type { Page } from './layout.ts'

interface CodeData extends FormData {
  verificationId?: string | undefined
  code?: string | undefined
}

interface CodeAndPasswordData extends CodeData {
  /** The address that was typed to get the code; a link does not contain it. */
  email?: string | undefined
  minLength: number
}

/** The texts, where the form is posted to, and the page with which to ask for another code. */
const codeForms = {
  confirmRegistration: { action: 'confirm-registration', again: 'register' },
  reset: { action: 'reset', again: 'forgot' },
} as const

/** The form for a mailed code and a password. */
export function renderCodeAndPassword(
  texts: Texts,
  name: keyof typeof codeForms,
  data: CodeAndPasswordData,
): Page {
  const { problem, verificationId = '', email, minLength, request } = data
  const { title, sent, text, submit, again } = texts[name]
  const form = codeForms[name]
  const fields = [
    renderHidden('verification_id', verificationId),
    // For password managers, which store it with the password.
    email === undefined
      ? ''
      : html`<input name="email" value="${email}" autocomplete="username" readonly hidden>`,
    renderCode(texts, data),
    renderNewPassword(texts, minLength, problem),
  ]
  return renderFormPage(texts, data, {
    title,
    text: email === undefined ? text : sent(email),
    form: { action: form.action, fields: fields.join('\n'), submit },
    links: html`<a href="${linkTo(form.again, request)}">${again}</a>`,
  })
}

const renderCode = ({ code: label }: Texts, { code: value, problem }: CodeData) =>
  renderField({ name: 'code', label, type: 'text', autocomplete: 'one-time-code', value }, problem)

const buttons = { confirmEmail: 'confirm-email', restoreEmail: 'restore-email' } as const

/** A button that uses a mailed code from a link. A code that is missing or wrong can be typed. */
export function renderCodeButton(
  texts: Texts,
  name: keyof typeof buttons,
  data: CodeData & { sent?: string },
): Page {
  const { problem, verificationId = '', code, sent } = data
  const { title, text, submit } = texts[name]
  const isTyped = code === undefined || problem !== undefined
  const codeField = isTyped ? renderCode(texts, data) : renderHidden('code', code)
  const fields = renderHidden('verification_id', verificationId) + codeField
  return renderFormPage(texts, data, {
    title,
    text: sent ?? text,
    form: { action: buttons[name], fields, submit },
  })
}
