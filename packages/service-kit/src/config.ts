import { Ajv } from 'ajv'
import { envSchema } from 'env-schema'
import type { Static, TObject } from 'typebox'
import { readSettingTexts } from './setting-files.ts'
import { settingFormats } from './setting-formats.ts'
import { describeAccepted, type SettingSchema } from './setting-schema.ts'

/** The environment is not a valid configuration. The message names every mistake, and no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/**
 * Reads a service's configuration from environment variables.
 *
 * Converts numbers and booleans from text, fills in defaults and ignores unknown variables. The
 * error for a missing setting includes the setting's `description`. Any setting may be given as a
 * file instead: `NAME_FILE=/run/secrets/name` names a file that contains the value of `NAME`. The
 * result contains the paths of these files too.
 *
 * @throws ConfigError naming every missing or wrong variable; it repeats no value, because a value
 *   may contain a password
 */
export function loadConfig<T extends TObject>(schema: T, env: NodeJS.ProcessEnv): Static<T> {
  const ajv = new Ajv({
    allErrors: true,
    coerceTypes: true,
    useDefaults: true,
    removeAdditional: 'all',
  })
  // Checked below, where the message can say what is wrong.
  for (const format of Object.keys(settingFormats)) ajv.addFormat(format, true)
  const { texts, files, mistakes } = readSettingTexts(Object.keys(schema.properties), env)
  let config: Static<T> | undefined
  try {
    config = envSchema<Static<T>>({ schema, data: { ...texts }, env: false, ajv })
  } catch (err) {
    describe(err, schema, texts, mistakes)
  }
  for (const [name, text] of Object.entries(texts)) {
    const { format = '' } = schema.properties[name] as SettingSchema
    const mistake = settingFormats[format]?.findMistake(text)
    if (mistake && !mistakes.has(name)) mistakes.set(name, `${name} ${mistake}`)
  }
  if (config !== undefined && mistakes.size === 0) return { ...config, ...files }
  throw new ConfigError([...mistakes.values()].join('; '))
}

interface Mistake {
  instancePath: string
  keyword: string
  params: { missingProperty?: string }
}

/** Adds the schema's complaints to the mistakes found while reading the texts. */
function describe(
  err: unknown,
  schema: TObject,
  texts: Record<string, string>,
  mistakes: Map<string, string>,
): void {
  const { errors } = err as { errors?: Mistake[] }
  if (errors === undefined) throw err
  for (const { instancePath, keyword, params } of errors) {
    const missing = keyword === 'required'
    const name = missing ? (params.missingProperty ?? '') : instancePath.slice(1)
    if (mistakes.has(name)) continue
    const setting = (schema.properties[name] ?? {}) as SettingSchema
    mistakes.set(
      name,
      missing
        ? `${name} is not set (${firstSentence(setting.description)})`
        : `${name} must be ${describeAccepted(setting)}${adviceFor(texts[name])}`,
    )
  }
}

const firstSentence = (text = 'it is required') => text.split(/\. |\.$/, 1)[0]

/** Kubernetes sets `NAME_PORT` for every Service of the namespace, such as one named latchkey. */
const adviceFor = (text = '') => (/^(tcp|udp|sctp):\/\//.test(text) ? serviceLink : '')
const serviceLink =
  '; Kubernetes set it for a Service: set enableServiceLinks: false in the pod, or set the ' +
  'variable itself'
