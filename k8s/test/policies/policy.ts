import { containersOf, type Json, list, type Objects, podsOf } from '../objects.ts'

/** A rule for the rendered objects. Returns a sentence for each violation. */
export type Policy = (objects: Objects) => string[]

export const all = (...policies: Policy[]): Policy => {
  return (objects) => policies.flatMap((policy) => policy(objects))
}

/** The facts that are true, each after the name of the object that it is about. */
export const faults = (where: string, facts: Record<string, unknown>): string[] =>
  Object.keys(facts).flatMap((fact) => (facts[fact] ? [`${where}: ${fact}`] : []))

/** Compares the members of a value with those of a pattern. Functions are predicates. */
export function mismatches(where: string, value: Json, pattern: Json): string[] {
  if (pattern && typeof pattern === 'object') {
    const at = (key: string) => mismatches(`${where} ${key}`, value?.[key], pattern[key])
    return Object.keys(pattern).flatMap(at)
  }
  const isMatch = typeof pattern === 'function' ? pattern(value) : value === pattern
  return isMatch ? [] : [`${where} is ${JSON.stringify(value)}`]
}

/** A predicate: no item of a list passes a test. */
export const none = (test: (item: Json) => boolean) => (items: Json) => !list(items).some(test)

/** Compares names, in any order. */
export const otherThan = (expected: string[], where: string, names: string[]) =>
  faults(where, { [`${names} instead of ${expected}`]: `${names.sort()}` !== `${expected.sort()}` })

/** Requires a pattern of every pod or container, or of those of some kinds of workloads. */
export const every = (pattern: { pod?: Json; container?: Json }, ...kinds: string[]): Policy => {
  return (objects) =>
    (pattern.pod ? podsOf(objects) : containersOf(objects))
      .filter(({ kind }) => kinds.length === 0 || kinds.includes(kind))
      .flatMap((one) => mismatches(one.where, one, pattern))
}
