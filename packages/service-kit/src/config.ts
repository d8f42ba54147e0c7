import { Ajv } from 'ajv'
import { envSchema } from 'env-schema'
import type { Static, TObject } from 'typebox'

/** The environment does not describe a service that may start. The message names every mistake and no value. */
export class ConfigError extends Error {
  override name = 'ConfigError'
}

/**
 * Reads a service's configuration from environment variables, once and whole.
 *
 * Numbers and booleans are converted from text, defaults filled in, unknown variables left out. A
 * setting's `description` is said when it is missing.
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
  try {
    return envSchema<Static<T>>({ schema, data: { ...env }, ajv })
  } catch (err) {
    throw new ConfigError(describe(err, schema))
  }
}

interface Mistake {
  instancePath: string
  keyword: string
  message?: string
  params: { missingProperty?: string }
}

function describe(err: unknown, schema: TObject): string {
  const { errors } = err as { errors?: Mistake[] }
  if (errors === undefined) return 'the environment could not be read'
  const sentences = errors.map(({ instancePath, keyword, message, params }) => {
    if (keyword !== 'required') return `${instancePath.slice(1)} ${message ?? 'is not valid'}`
    const name = params.missingProperty ?? ''
    const { description } = (schema.properties[name] ?? {}) as { description?: string }
    return `${name} is not set${description ? ` (${description})` : ''}`
  })
  return sentences.join('; ')
}
