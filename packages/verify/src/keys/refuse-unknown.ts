/**
 * Refuses a misspelt option, which would have no effect.
 *
 * @throws TypeError when an option has none of the names
 */
export function refuseUnknown(options: object, names: readonly string[]): void {
  for (const name of Object.keys(options)) {
    if (!names.includes(name)) throw new TypeError(`unknown option ${JSON.stringify(name)}`)
  }
}
