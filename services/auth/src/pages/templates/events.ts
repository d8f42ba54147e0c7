import { html } from 'ghtml'
import type { Static } from 'typebox'
import type { EventPage } from '../../audit/schemas.ts'
import { describeDevice } from '../describe-device.ts'
import type { Texts } from '../texts/en.ts'
import { createTimeRenderer } from './time.ts'

type Event = Static<typeof EventPage>['events'][number]

/** Events of an account, in words. */
export function renderEvents(texts: Texts, events: readonly Event[]): string {
  const renderTime = createTimeRenderer(texts.language)
  const items = events.map((event) => {
    const details = [nameClient(texts, event), event.network].filter((text) => text !== null)
    return html`<li><strong>${describe(texts, event)}</strong>
<p class="hint">!${renderTime(new Date(event.occurred_at))}!${details.map((text) => html` · ${text}`).join('')}</p></li>`
  })
  return `<ul class="list">\n${items.join('\n')}\n</ul>`
}

/** The app that an event is about, or else what sent the request. */
function nameClient(texts: Texts, { detail, client }: Event): string | null {
  const { client: app } = (detail ?? {}) as { client?: unknown }
  if (typeof app === 'string') return app
  return client === null ? null : describeDevice(client, texts)
}

function describe({ account }: Texts, { action, result, actor }: Event): string {
  const { actions, refused, byAdmin } = account
  const known: Readonly<Record<string, string>> = actions
  const text = (Object.hasOwn(known, action) ? known[action] : undefined) ?? action
  const what = actor === 'admin' || actor === 'operator' ? byAdmin(text) : text
  return result === 'refused' ? refused(what) : what
}
