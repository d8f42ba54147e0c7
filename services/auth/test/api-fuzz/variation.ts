import type { GeneratorValue } from 'fast-check'
import fc from 'fast-check'
import { type Draft, objectSchemaOf } from './draft.ts'
import type { JsonSchema, Operation } from './operations.ts'

/** A way to change a valid request. */
export interface Variation {
  readonly name: string
  readonly appliesTo: (operation: Operation) => boolean
  /** Whether no request so changed may succeed. */
  readonly mustBeRefused?: boolean
  readonly change: (draft: Draft, g: GeneratorValue) => void
}

export const one = <T>(g: GeneratorValue, values: readonly T[]): T =>
  values[g(fc.nat, values.length - 1)] as T

/** The members of a request's body with their schemas. */
export const membersOf = ({ body }: Operation): [name: string, schema: JsonSchema][] =>
  Object.entries(objectSchemaOf(body)?.properties ?? {})

export const hasMembers = (operation: Operation): boolean => membersOf(operation).length > 0

export const any = () => true
