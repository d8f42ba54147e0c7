import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import { type FormData, linkTo, renderField, renderForm } from './form.ts'
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
  const { problem, request, email } = data
  const { title, toApp, submit, forgot, register } = texts.login
  const field = { label: texts.email, name: 'email', type: 'email', value: email } as const
  const fields = [
    renderField({ ...field, autocomplete: 'username' }, problem),
    renderField(
      {
        label: texts.password,
        name: 'password',
        type: 'password',
        autocomplete: 'current-password',
      },
      problem,
    ),
  ].join('\n')
  const links = [
    data.canReset ? html`<a href="${linkTo('forgot', request)}">${forgot}</a>` : '',
    data.canRegister ? html`<a href="${linkTo('register', request)}">${register}</a>` : '',
  ].join('')
  return {
    title: problem ? texts.errorTitle(title) : title,
    content: html`<h1>${title}</h1>
!${data.app === undefined ? '' : html`<p>${toApp(data.app)}</p>`}
!${renderForm(data, { action: 'login', fields, submit })}
!${links === '' ? '' : html`<p class="links">!${links}</p>`}`,
  }
}
