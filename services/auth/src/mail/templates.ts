import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ConfigError } from '@latchkey/service-kit'
import mustache from 'mustache'
import { type MailContent, type MailKind, mailKinds } from './kinds.ts'

/** A mail without its recipient. */
interface RenderedMail {
  subject: string
  text: string
  html: string
}

export interface Templates {
  /** Fills in the templates of a kind of mail. */
  render(kind: MailKind, content: MailContent): RenderedMail
}

const builtIn = fileURLToPath(new URL('../../mail-templates/', import.meta.url))
const layout = 'layout.html'
const names = [layout, ...mailKinds.flatMap((kind) => [`${kind}.txt`, `${kind}.html`])]

/** What a template can contain, as `{{code}}`. `content` is for the layout alone. */
const placeholders = ['product', 'code', 'verification_id', 'link', 'expires', 'subject', 'content']

/**
 * Loads the templates (Mustache). The first line of a text is `Subject: …`; an HTML template is the
 * content of the layout.
 *
 * @param folder files that replace the built-in ones of the same name
 * @throws ConfigError that names the file at fault
 */
export async function loadTemplates(
  folder: string | undefined,
  product: string,
): Promise<Templates> {
  const files = new Map<string, string>()
  for (const name of names) files.set(name, await readTemplate(builtIn, name))
  if (folder !== undefined) {
    for (const name of await listFiles(folder)) files.set(name, await readTemplate(folder, name))
  }
  const find = (name: string) => files.get(name) ?? ''
  return {
    render(kind, { code, verificationId, link, expiresAt }) {
      const view = {
        product,
        // In two groups, which are easier to type.
        code: code?.replace(/^(\d{4})(\d{4})$/, '$1 $2'),
        verification_id: verificationId,
        link,
        expires: expiresAt && formatTime(expiresAt),
      }
      const [subjectLine = '', ...lines] = fillText(find(`${kind}.txt`), view).split('\n')
      const subject = subjectLine.slice(subjectPrefix.length)
      const text = lines.join('\n').trim()
      const partials = { content: find(`${kind}.html`) }
      return { subject, text, html: mustache.render(find(layout), { ...view, subject }, partials) }
    },
  }
}

const subjectPrefix = 'Subject: '

const fillText = (template: string, view: object): string =>
  mustache.render(template, view, {}, { escape: (text: string) => text })

const formatTime = (time: Date): string =>
  `${time.toLocaleString('en-GB', { dateStyle: 'long', timeStyle: 'short', timeZone: 'UTC' })} UTC`

async function listFiles(folder: string): Promise<string[]> {
  const found = await readdir(folder).catch((err: NodeJS.ErrnoException) => {
    throw new ConfigError(`LATCHKEY_MAIL_TEMPLATES: ${folder} cannot be read (${err.code})`)
  })
  // Kubernetes mounts a ConfigMap with hidden links beside the files.
  const files = found.filter((name) => !name.startsWith('.'))
  const unknown = files.find((name) => !names.includes(name))
  if (unknown === undefined) return files
  throw new ConfigError(
    `LATCHKEY_MAIL_TEMPLATES: ${join(folder, unknown)} is not the name of a template; they are ${names.join(', ')}`,
  )
}

async function readTemplate(folder: string, name: string): Promise<string> {
  const file = join(folder, name)
  const fail = (reason: string) => new ConfigError(`LATCHKEY_MAIL_TEMPLATES: ${file} ${reason}`)
  const template = await readFile(file, 'utf8').catch((err: NodeJS.ErrnoException) => {
    throw fail(`cannot be read (${err.code})`)
  })
  let used: string[]
  try {
    used = findNames(mustache.parse(template))
  } catch (err) {
    throw fail(`is not a valid template: ${(err as Error).message}`)
  }
  const unknown = used.find((placeholder) => !placeholders.includes(placeholder))
  if (unknown !== undefined) throw fail(`contains the unknown placeholder {{${unknown}}}`)
  const [firstLine = ''] = template.split('\n')
  if (name.endsWith('.txt') && !/^Subject: \S/.test(firstLine)) {
    throw fail('must begin with a line "Subject: …"')
  }
  if (name === layout && !used.includes('content')) throw fail('must contain {{> content}}')
  return template
}

/** The names that a parsed template uses, also within its sections. */
function findNames(tokens: ReturnType<typeof mustache.parse>): string[] {
  return tokens.flatMap((token) => {
    const [kind, name, , , nested] = token
    const below = Array.isArray(nested) ? findNames(nested as typeof tokens) : []
    return kind === 'text' || kind === '!' ? below : [name, ...below]
  })
}
