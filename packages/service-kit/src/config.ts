import { Ajv } from 'ajv'
import { envSchema } from 'env-schema'
import type { Static, TObject } from 'typebox'
import { readSettingFiles } from './setting-files.ts'

/** The environment is not a valid configuration. The message names every mistake, and no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/**
 * Reads a service's configuration from environment variables.
 *
 * Converts numbers and booleans from text, fills in defaults and ignores unknown variables. The
 * error for a missing setting includes the setting's `description`. Any setting may be given as a
 * file instead: `NAME_FILE=/run/secrets/name` names a file that contains the value of `NAME`.
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
  const { values, mistakes } = readSettingFiles(Object.keys(schema.properties), env)
  try {
    const config = envSchema<Static<T>>({ schema, data: { ...env, ...values }, env: false, ajv })
    if (mistakes.size === 0) return config
  } catch (err) {
    describe(err, schema, mistakes)
  }
  throw new ConfigError([...mistakes.values()].join('; '))
}

interface Mistake {
  instancePath: string
  keyword: string
  message?: string
  params: { missingProperty?: string }
}

/** Adds the schema's complaints to the mistakes found while reading files. */
function describe(err: unknown, schema: TObject, mistakes: Map<string, string>): void {
  const { errors } = err as { errors?: Mistake[] }
  if (errors === undefined) throw err
  for (const { instancePath, keyword, message, params } of errors) {
    const missing = keyword === 'required'
    const name = missing ? (params.missingProperty ?? '') : instancePath.slice(1)
    if (mistakes.has(name)) continue
    const { description } = (schema.properties[name] ?? {}) as { description?: string }
    const unset = `is not set${description ? ` (${description})` : ''}`
    mistakes.set(name, `${name} ${missing ? unset : (message ?? 'is not valid')}`)
  }
}
