import { html } from 'ghtml'

/** @returns a function that renders a time, in a language and in UTC: the page does not know the zone */
export function createTimeRenderer(language: string): (time: Date) => string {
  const { format } = new Intl.DateTimeFormat(language, {
    dateStyle: 'medium',
    timeStyle: 'short',
    timeZone: 'UTC',
  })
  return (time) => html`<time datetime="${time.toISOString()}">${format(time)} UTC</time>`
}
