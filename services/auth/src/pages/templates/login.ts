import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import { type FormData, linkTo, renderEmail, renderField, renderFormPage } from './form.ts'
import type { Page } from './layout.ts'

interface LoginData extends FormData {
  /** The name of the app that the person logs in to. */
  app?: string | undefined
  email?: string | undefined
  /** Whether the page links to a form for a forgotten password, which needs mail. */
  canReset: boolean
  /** Whether the page links to a form for a new account. */
  canRegister: boolean
}

/** The form to log in, posted to `login`. */
export function renderLogin(texts: Texts, data: LoginData): Page {
  const { problem, request, email, app } = data
  const { title, toApp, submit, forgot, register } = texts.login
  const password = renderField(
    {
      label: texts.password,
      name: 'password',
      type: 'password',
      autocomplete: 'current-password',
    },
    problem,
  )
  const links = [
    data.canReset ? html`<a href="${linkTo('forgot', request)}">${forgot}</a>` : '',
    data.canRegister ? html`<a href="${linkTo('register', request)}">${register}</a>` : '',
  ].join('')
  const fields = `${renderEmail(texts, email, problem)}\n${password}`
  return renderFormPage(texts, data, {
    title,
    text: app === undefined ? undefined : toApp(app),
    form: { action: 'login', fields, submit },
    links,
  })
}
