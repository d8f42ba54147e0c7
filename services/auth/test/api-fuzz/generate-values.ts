import fc from 'fast-check'
import Schema from 'typebox/schema'
import type { JsonSchema } from './operations.ts'

const known = new WeakMap<JsonSchema, fc.Arbitrary<unknown>>()

/** Values of a schema: its examples, random ones, and those at its bounds. */
export function valuesOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  const made = known.get(schema) ?? withExamples(schema)
  known.set(schema, made)
  return made
}

const dates = fc.date({
  min: new Date('1970-01-01'),
  max: new Date('2100-01-01'),
  noInvalidDate: true,
})
const formats: Record<string, () => fc.Arbitrary<string>> = {
  email: () => fc.emailAddress(),
  uuid: () => fc.uuid(),
  uri: () => fc.webUrl(),
  'date-time': () => dates.map((date) => date.toISOString()),
}

function withExamples(schema: JsonSchema): fc.Arbitrary<unknown> {
  const random = randomOf(schema)
  const { examples = [] } = schema
  if (examples.length === 0) return random
  return fc.oneof(
    { weight: 1, arbitrary: fc.constantFrom(...examples) },
    { weight: 2, arbitrary: random },
  )
}

function randomOf(schema: JsonSchema): fc.Arbitrary<unknown> {
  if (schema.const !== undefined) return fc.constant(schema.const)
  if (schema.enum) return fc.constantFrom(...schema.enum)
  if (schema.anyOf) return fc.oneof(...schema.anyOf.map(valuesOf))
  switch (schema.type) {
    case 'string':
      return textsOf(schema)
    case 'integer':
      return fc.integer({ min: schema.minimum ?? -(2 ** 31), max: schema.maximum ?? 2 ** 31 - 1 })
    case 'number':
      return fc.double({ noNaN: true, min: schema.minimum ?? -1e300, max: schema.maximum ?? 1e300 })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return arraysOf(schema)
    case 'object':
      return objectsOf(schema)
    default:
      return fc.jsonValue({ maxDepth: 2 })
  }
}

function textsOf({ pattern, format = '', minLength = 0, maxLength = 400 }: JsonSchema) {
  const fits = (text: string) => text.length >= minLength && text.length <= maxLength
  const formatted = formats[format]?.()
  if (formatted) return formatted.filter(fits)
  if (pattern !== undefined) return matching(pattern).filter(fits)
  const atBounds = [minLength, maxLength].map((length) => fc.constant('k'.repeat(length)))
  const random = fc.string({ minLength, maxLength, unit: 'grapheme' }).filter(fits)
  return fc.oneof({ weight: 6, arbitrary: random }, ...atBounds)
}

/** Texts that match a pattern, also one that fast-check cannot read: with look-aheads, or `\p`. */
function matching(pattern: string): fc.Arbitrary<string> {
  const exact = new RegExp(pattern, 'u')
  const similar = new RegExp(pattern.replaceAll(/\(\?=[^()]*\)/g, ''), 'u')
  const texts = /\\p\{/.test(pattern)
    ? fc.string({ minLength: 1, maxLength: 50, unit: 'grapheme' })
    : fc.stringMatching(similar)
  return texts.filter((text) => exact.test(text))
}

function arraysOf({ items = {}, minItems = 0, maxItems = 5, uniqueItems }: JsonSchema) {
  const bounds = { minLength: minItems, maxLength: maxItems }
  return uniqueItems
    ? fc.uniqueArray(valuesOf(items), bounds)
    : fc.array(valuesOf(items), { ...bounds, size: 'small' })
}

function objectsOf({ properties = {}, required = [], minProperties = 0 }: JsonSchema) {
  const members = Object.fromEntries(
    Object.entries(properties).map(([name, schema]) => [name, valuesOf(schema)]),
  )
  return fc
    .record(members, { requiredKeys: [...required], noNullPrototype: true })
    .filter((value) => Object.keys(value).length >= minProperties)
}

const otherValues = [null, true, 1, -1.5, '1', '', [], ['a'], {}, { a: 1 }] as const

/** Values of a type that the schema does not accept. */
export const wrongTypesOf = (schema: JsonSchema): unknown[] =>
  otherValues.filter((value) => !Schema.Check(schema, value))

/** Values just outside the bounds of the schema. */
export function beyondBoundsOf(schema: JsonSchema): unknown[] {
  const { minLength, maxLength, minimum, maximum, maxItems, items = {} } = schema
  const candidates = [
    minLength !== undefined && 'k'.repeat(minLength - 1),
    maxLength !== undefined && 'k'.repeat(maxLength + 1),
    minimum !== undefined && minimum - 1,
    maximum !== undefined && maximum + 1,
    maximum !== undefined && maximum + 0.5,
    schema.enum !== undefined && `${schema.enum[0]}x`,
    maxItems !== undefined && fc.sample(valuesOf(items), { numRuns: maxItems + 1, seed: 1 }),
    ...(schema.anyOf ?? []).flatMap(beyondBoundsOf),
  ]
  return candidates.filter((value) => value !== false && !Schema.Check(schema, value))
}
