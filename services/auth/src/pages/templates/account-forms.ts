import { html } from 'ghtml'
import type { PageProblem } from '../describe-problem.ts'
import type { Texts } from '../texts/en.ts'
import { renderCurrentPassword, renderField, renderFormPage, renderNewPassword } from './form.ts'
import type { Page } from './layout.ts'

interface Shown {
  problem?: PageProblem | undefined
}

interface FormParts {
  action: string
  fields: string[]
}

/** A form of the account that is signed in, with a link back. */
function renderAccountForm(
  texts: Texts,
  name: 'profile' | 'changePassword' | 'changeEmail' | 'deleteAccount',
  { problem, action, fields }: Shown & FormParts,
): Page {
  const { title, text, submit } = texts[name]
  return renderFormPage(
    texts,
    { problem },
    {
      title,
      text,
      form: { action, fields: fields.join('\n'), submit },
      links: html`<a href="account">${texts.backToAccount}</a>`,
    },
  )
}

/** For password managers, which store it with the password. It is not sent. */
const renderUsername = (email: string) =>
  html`<input value="${email}" autocomplete="username" readonly hidden>`

interface ProfileData extends Shown {
  displayName?: string | null | undefined
  locale?: string | null | undefined
}

/** The form for the name and the language, posted to `profile`. */
export function renderProfile(texts: Texts, { problem, displayName, locale }: ProfileData): Page {
  const { displayName: name, locale: language, localeHint } = texts.profile
  const field = { type: 'text', isOptional: true } as const
  const fields = [
    renderField(
      {
        ...field,
        name: 'display_name',
        label: name,
        autocomplete: 'name',
        value: displayName ?? '',
      },
      problem,
    ),
    renderField(
      {
        ...field,
        name: 'locale',
        label: language,
        autocomplete: 'language',
        value: locale ?? '',
        hint: localeHint,
      },
      problem,
    ),
  ]
  return renderAccountForm(texts, 'profile', { problem, action: 'profile', fields })
}

interface PasswordData extends Shown {
  /** The address of the account. */
  email: string
  /** The fewest characters of the new password. */
  minLength: number
}

/** The form for a new password, posted to `change-password`. */
export function renderChangePassword(
  texts: Texts,
  { problem, email, minLength }: PasswordData,
): Page {
  const fields = [
    renderUsername(email),
    renderCurrentPassword(texts, problem),
    renderNewPassword(texts, minLength, problem, texts.newPassword),
  ]
  return renderAccountForm(texts, 'changePassword', { problem, action: 'change-password', fields })
}

/** The form for a new address, posted to `change-email`. */
export function renderChangeEmail(
  texts: Texts,
  { problem, email }: Shown & { email?: string | undefined },
): Page {
  const label = texts.changeEmail.newEmail
  const fields = [
    renderField(
      { name: 'email', label, type: 'email', autocomplete: 'email', value: email },
      problem,
    ),
    renderCurrentPassword(texts, problem),
  ]
  return renderAccountForm(texts, 'changeEmail', { problem, action: 'change-email', fields })
}

/** The form that deletes the account, posted to `delete-account`. */
export function renderDeleteAccount(
  texts: Texts,
  { problem, email }: Shown & { email: string },
): Page {
  const fields = [renderUsername(email), renderCurrentPassword(texts, problem)]
  return renderAccountForm(texts, 'deleteAccount', { problem, action: 'delete-account', fields })
}
