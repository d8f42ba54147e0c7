import { Ajv, type Options } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifySchemaCompiler } from 'fastify'

/** Unknown members are refused, not silently dropped. Errors carry their schema (`verbose`). */
const strict: Options = {
  removeAdditional: false,
  useDefaults: true,
  allErrors: false,
  verbose: true,
}

/**
 * Compiles request schemas. A JSON body must have the exact types; query strings, paths and
 * headers, which are text, are converted.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<object> {
  const asSent = addFormats.default(new Ajv({ ...strict, coerceTypes: false }))
  const fromText = addFormats.default(new Ajv({ ...strict, coerceTypes: true }))
  return ({ schema, httpPart }) => (httpPart === 'body' ? asSent : fromText).compile(schema)
}
