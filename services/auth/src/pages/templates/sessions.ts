import { html } from 'ghtml'
import type { SessionSummary } from '../../sessions/read-store.ts'
import { describeDevice } from '../describe-device.ts'
import type { Texts } from '../texts/en.ts'
import { renderHidden } from './form.ts'
import { createTimeRenderer } from './time.ts'

/**
 * The sessions of a user as a tree: each browser with its apps, each with a button posted to
 * `end-session`.
 *
 * @param currentId the session of the browser that opens the page
 */
export function renderSessions(
  texts: Texts,
  sessions: readonly SessionSummary[],
  currentId: string | undefined,
): string {
  const ids = new Set(sessions.map(({ id }) => id))
  const children = Map.groupBy(sessions, ({ parentId }) =>
    parentId !== null && ids.has(parentId) ? parentId : null,
  )
  const renderTime = createTimeRenderer(texts.language)
  const { thisBrowser, end, created, lastUsed } = texts.account

  const renderItem = (session: SessionSummary): string => {
    const { id, clientId, userAgent, createdAt, refreshedAt } = session
    const name = clientId ?? describeDevice(userAgent, texts)
    const wasUsed = refreshedAt.getTime() > createdAt.getTime()
    return html`<li>
<div class="row">
<div><strong>${name}</strong>!${id === currentId ? html` <span class="badge">${thisBrowser}</span>` : ''}
<p class="hint">${created} !${renderTime(createdAt)}!${
      wasUsed ? html`<br>${lastUsed} !${renderTime(refreshedAt)}` : ''
    }</p></div>
<form method="post" action="end-session">!${renderHidden('id', id)}
<button type="submit" class="quiet" aria-label="${end}: ${name}">${end}</button></form>
</div>
!${renderList(id)}
</li>`
  }
  const renderList = (parentId: string): string => {
    const apps = children.get(parentId)
    return apps ? `<ul>\n${apps.map(renderItem).join('\n')}\n</ul>` : ''
  }
  return `<ul class="list">\n${(children.get(null) ?? []).map(renderItem).join('\n')}\n</ul>`
}
