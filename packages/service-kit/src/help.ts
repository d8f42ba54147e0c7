import { hostname } from 'node:os'
import type { TObject } from 'typebox'
import { describeAccepted, type SettingSchema } from './setting-schema.ts'

/** A setting, for people. */
export interface DescribedSetting {
  name: string
  /** What it accepts, and its default or that it is required. */
  facts: string
  description: string
}

/** Describes every setting of a service, in the order of its schema. */
export function describeSettings(settings: TObject): DescribedSetting[] {
  const required: readonly string[] = settings.required ?? []
  return Object.entries(settings.properties).map(([name, property]) => {
    const setting = property as SettingSchema
    const end =
      setting.default !== undefined
        ? `Default: ${describeDefault(setting.default)}.`
        : required.includes(name)
          ? 'Required.'
          : 'Not set by default.'
    const accepted = describeAccepted(setting)
    const facts = `${accepted.charAt(0).toUpperCase()}${accepted.slice(1)}. ${end}`
    return { name, facts, description: setting.description ?? '' }
  })
}

function describeDefault(value: unknown): string {
  if (value === '') return 'empty'
  return value === hostname() ? 'the host name' : `\`${value}\``
}

/** What `main.ts --help` prints. */
export function renderHelp(service: { name: string; settings: TObject }): string {
  const settings = describeSettings(service.settings).map(
    ({ name, facts, description }) =>
      `${name}\n${wrap(facts, 94, '    ')}\n${wrap(description, 94, '    ')}`,
  )
  return `Latchkey's ${service.name} service

Usage: node src/main.ts [command]

Commands:
  (none)      runs the service
  migrate     updates the schema of the database; reads LATCHKEY_DATABASE_URL alone
  --help      prints this text

Settings are environment variables. NAME_FILE is the path of a file that contains the value of
NAME. An empty variable counts as unset.

${settings.join('\n\n')}
`
}

/** Wraps a text at white space, and indents every line. */
export function wrap(text: string, columns: number, indent: string): string {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + 1 + word.length > columns) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines.map((line) => `${indent}${line}`).join('\n')
}
