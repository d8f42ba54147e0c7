import { html } from 'ghtml'
import type { Texts } from '../texts/en.ts'
import type { Page } from './layout.ts'

interface ErrorData {
  sentence: string
  /** The stable code of the problem. */
  code: string
  requestId: string
}

/** What is shown for an error that no form can show. */
export const renderError = (
  { error, errorTitle }: Texts,
  { sentence, code, requestId }: ErrorData,
): Page => ({
  title: errorTitle(error.title),
  content: html`<h1>${error.title}</h1>
<p role="alert">${sentence}</p>
<p class="small">${error.code}: ${code}<br>${error.requestId}: ${requestId}</p>`,
})
