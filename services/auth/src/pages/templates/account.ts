import { html } from 'ghtml'
import type { Static } from 'typebox'
import type { User } from '../../accounts/store.ts'
import type { EventPage } from '../../audit/schemas.ts'
import type { SessionSummary } from '../../sessions/read-store.ts'
import type { Texts } from '../texts/en.ts'
import { renderEvents } from './events.ts'
import type { Page } from './layout.ts'
import { renderSessions } from './sessions.ts'

interface AccountData extends Static<typeof EventPage> {
  user: User
  sessions: readonly SessionSummary[]
  /** The session of the browser. */
  currentId: string | undefined
  /** Whether the address can be changed, which needs mail. */
  canChangeEmail: boolean
}

/** The account of a user: what is stored, where the user is logged in, and what happened. */
export function renderAccount(texts: Texts, data: AccountData): Page {
  const { title, sessions, endAll, events, older } = texts.account
  const { changePassword, changeEmail, deleteAccount, profile } = texts
  const links = [
    renderLink('profile', profile.title),
    renderLink('change-password', changePassword.title),
    data.canChangeEmail ? renderLink('change-email', changeEmail.title) : '',
  ]
  return {
    title,
    isWide: true,
    content: html`<h1>${title}</h1>
!${renderFacts(texts, data.user)}
<p class="links">!${links.join('')}</p>
<h2>${sessions}</h2>
!${renderSessions(texts, data.sessions, data.currentId)}
<form method="post" action="end-all-sessions"><button type="submit" class="quiet">${endAll}</button></form>
<h2 id="events">${events}</h2>
!${renderEvents(texts, data.events)}
!${data.next === null ? '' : `<p class="links">${renderLink(`account?before=${data.next}#events`, older)}</p>`}
<p class="links">!${renderLink('logout', texts.logout.title)}!${renderLink('delete-account', deleteAccount.title)}</p>`,
  }
}

function renderFacts(texts: Texts, { email, emailVerified, displayName, locale }: User): string {
  const { verified, unverified, none } = texts.account
  const facts: [name: string, value: string][] = [
    [texts.email, `${email} (${emailVerified ? verified : unverified})`],
    [texts.profile.displayName, displayName ?? none],
    [texts.profile.locale, locale ?? none],
  ]
  return html`<dl>!${facts.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`).join('')}</dl>`
}

const renderLink = (href: string, text: string) => html`<a href="${href}">${text}</a>`
