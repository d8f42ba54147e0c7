/**
 * Refuses an object with a misspelt member, which would have no effect.
 *
 * @param what a member, in messages: `option`
 * @throws TypeError when `value` is not an object, or a member has none of the names
 */
export function checkNames(value: object, what: string, names: readonly string[]): void {
  if (typeof value !== 'object' || value === null || Symbol.iterator in value) {
    throw new TypeError(`${what}s must be an object with members of ${names.join(', ')}`)
  }
  for (const name of Object.keys(value)) {
    if (names.includes(name)) continue
    throw new TypeError(`unknown ${what} ${JSON.stringify(name)}; known are ${names.join(', ')}`)
  }
}
