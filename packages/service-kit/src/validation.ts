import { Ajv, type Options } from 'ajv'
import addFormats from 'ajv-formats'
import type { FastifySchemaCompiler } from 'fastify'

/** Unknown members are an error of the client's, not something to drop in silence. */
const strict: Options = { removeAdditional: false, useDefaults: true, allErrors: false }

/**
 * Compiles request schemas: a JSON body has to have the types it says, while a query string, a
 * path or a header, which are all text, are converted.
 */
export function createValidatorCompiler(): FastifySchemaCompiler<object> {
  const asSent = addFormats.default(new Ajv({ ...strict, coerceTypes: false }))
  const fromText = addFormats.default(new Ajv({ ...strict, coerceTypes: true }))
  return ({ schema, httpPart }) => (httpPart === 'body' ? asSent : fromText).compile(schema)
}
