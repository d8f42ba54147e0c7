import { html } from 'ghtml'
import type { PageProblem } from '../describe-problem.ts'
import type { Texts } from '../texts/en.ts'
import type { Page } from './layout.ts'

/** What every form may have. */
export interface FormData {
  /** An opaque text that travels with all forms and links: the request of the app. */
  request?: string | undefined
  problem?: PageProblem | undefined
}

interface Field {
  name: string
  label: string
  type: 'email' | 'password' | 'text'
  autocomplete:
    | 'username'
    | 'current-password'
    | 'new-password'
    | 'one-time-code'
    | 'email'
    | 'name'
    | 'language'
  isOptional?: boolean
  value?: string | undefined
  hint?: string | undefined
}

interface FormParts {
  /** The relative URL that the form is posted to. */
  action: string
  /** HTML. */
  fields: string
  /** The text of the button. */
  submit: string
}

/** The relative URL of a page, with the request of the app. Relative, because an issuer may have a path. */
export const linkTo = (page: string, request: string | undefined): string =>
  request === undefined ? page : `${page}?${new URLSearchParams({ request })}`

/** A form. It has `novalidate`, so that all errors are shown in the language of the page. */
const renderForm = (
  { request, problem }: FormData,
  { action, fields, submit }: FormParts,
) => html`!${renderProblem(problem)}
<form method="post" action="${action}" novalidate>
!${request === undefined ? '' : renderHidden('request', request)}!${fields}
<button type="submit">${submit}</button>
</form>`

/** A field that is not shown. */
export const renderHidden = (name: string, value: string) =>
  html`<input type="hidden" name="${name}" value="${value}">`

/** A form with its heading. The title of the page tells screen readers of a problem first. */
export const renderFormPage = (
  texts: Texts,
  data: FormData,
  page: { title: string; text?: string | undefined; form: FormParts; links?: string },
): Page => ({
  title: data.problem ? texts.errorTitle(page.title) : page.title,
  content: html`<h1>${page.title}</h1>
!${page.text === undefined ? '' : html`<p>${page.text}</p>`}
!${renderForm(data, page.form)}
!${!page.links ? '' : html`<p class="links">!${page.links}</p>`}`,
})

/** The field for an address that names an account. */
export const renderEmail = (
  { email }: Texts,
  value: string | undefined,
  problem: PageProblem | undefined,
) =>
  renderField(
    { name: 'email', label: email, type: 'email', autocomplete: 'username', value },
    problem,
  )

/** The field for a new password. */
export const renderNewPassword = (
  { password, newPasswordHint }: Texts,
  minLength: number,
  problem: PageProblem | undefined,
  label = password,
) =>
  renderField(
    {
      name: 'password',
      label,
      type: 'password',
      autocomplete: 'new-password',
      hint: newPasswordHint({ minLength }),
    },
    problem,
  )

/** The field for the password of the account that is signed in. */
export const renderCurrentPassword = (
  { currentPassword }: Texts,
  problem: PageProblem | undefined,
) =>
  renderField(
    {
      name: 'current_password',
      label: currentPassword,
      type: 'password',
      autocomplete: 'current-password',
    },
    problem,
  )

/** An input with its label. What is wrong is announced with the first input that it concerns. */
export function renderField(field: Field, problem: PageProblem | undefined): string {
  const { name, label, type, autocomplete, value, hint } = field
  const isInvalid = problem?.fields.includes(name) === true
  const described = [isInvalid && 'error', hint !== undefined && `${name}-hint`].filter(Boolean)
  return html`<div>
<label for="${name}">${label}</label>
<input id="${name}" name="${name}" type="${type}" autocomplete="${autocomplete}"!${
    field.isOptional ? '' : ' required'
  }!${
    type === 'email' ? ' autocapitalize="none" spellcheck="false"' : ''
  }!${autocomplete === 'one-time-code' ? ' class="code" inputmode="numeric"' : ''}!${
    value === undefined ? '' : html` value="${value}"`
  }!${described.length === 0 ? '' : html` aria-describedby="${described.join(' ')}"`}!${
    isInvalid ? ' aria-invalid="true"' : ''
  }!${isInvalid && problem.fields[0] === name ? ' autofocus' : ''}>
!${hint === undefined ? '' : html`<p class="hint" id="${name}-hint">${hint}</p>`}
</div>`
}

const renderProblem = (problem: PageProblem | undefined) =>
  problem === undefined
    ? ''
    : html`<p class="error" id="error" role="alert">${problem.sentence}</p>`
