import { settingFormats } from './setting-formats.ts'

/** The parts of a setting's JSON schema that checks, help and documentation use. */
export interface SettingSchema {
  type?: 'string' | 'integer' | 'boolean'
  description?: string
  default?: unknown
  format?: string
  enum?: readonly string[]
  const?: string
  minimum?: number
  maximum?: number
  maxLength?: number
}

/** What a setting accepts; completes "the setting must be …". */
export function describeAccepted(setting: SettingSchema): string {
  const { type, format, minimum, maximum, maxLength } = setting
  const choices = setting.enum ?? (setting.const === undefined ? undefined : [setting.const])
  if (choices) {
    const listed = choices.map((choice) => `\`${choice}\``).join(', ')
    return choices.length === 1 ? listed : `one of ${listed}`
  }
  if (type === 'boolean') return '`true` or `false`'
  if (type === 'integer') {
    return minimum === undefined ? 'an integer' : `an integer from ${minimum} to ${maximum}`
  }
  const text = settingFormats[format ?? '']?.accepts ?? 'text'
  return maxLength === undefined ? text : `${text}; at most ${maxLength} characters`
}
