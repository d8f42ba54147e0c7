import { Ajv } from 'ajv'
import { envSchema } from 'env-schema'
import type { Static, TObject } from 'typebox'
import { readSettingFiles } from './setting-files.ts'

/** The environment does not describe a service that may start. The message names every mistake and no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/**
 * Reads a service's configuration from environment variables, once and whole.
 *
 * Numbers and booleans are converted from text, defaults filled in, unknown variables left out. A
 * setting's `description` is said when it is missing. Any setting may be given as a file instead:
 * `NAME_FILE=/run/secrets/name` is the path of a file that holds the value of `NAME`.
 *
 * @throws ConfigError naming every missing or wrong variable at once; values are never repeated,
 *   as one of them may be a password in a URL
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

/** Adds what the schema finds wrong with the settings that could be read. */
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
