import type { ParsedMail } from 'mailparser'

const maxLineLength = 300
/** Eight digits, also in two groups, that belong to no longer number and no ID. */
const code = /(?<![\w-])(\d{4}) ?(\d{4})(?![\w-])/

/** `mail to ada@example.com: code 12345678`, or its subject if it contains no code. One safe line. */
export async function describeMail(addresses: readonly string[], mail: Buffer): Promise<string> {
  const { subject = 'no subject', text, html } = await parse(mail)
  const [, ...digits] = code.exec(text || html || '') ?? []
  const content = digits.length === 0 ? subject : `code ${digits.join('')}`
  return escapeControls(`mail to ${addresses.join(', ')}: ${content}`).slice(0, maxLineLength)
}

/** The parser is loaded with the first mail: it would add a tenth of a second to every start. */
async function parse(mail: Buffer): Promise<Pick<ParsedMail, 'subject' | 'text' | 'html'>> {
  const { simpleParser } = await import('mailparser')
  const options = { skipHtmlToText: true, skipTextToHtml: true, skipTextLinks: true }
  return simpleParser(mail, options).catch(() => ({ subject: 'unreadable', html: false }))
}

/** Escapes what a terminal would interpret: controls, and characters that change the direction. */
const escapeControls = (text: string) =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (character) => {
    const point = character.codePointAt(0) ?? 0
    return `\\u{${point.toString(16)}}`
  })
