/** @returns a mistake that names the position of an item, not its value */
export function findItemMistake(
  items: readonly string[],
  separator: 'spaces' | 'commas',
  isValid: (item: string) => boolean,
): string | undefined {
  const at = items.findIndex((item, index) => !isValid(item) || items.indexOf(item) < index)
  const item = items[at]
  if (item === undefined) return undefined
  const reason = item === '' ? 'is empty' : isValid(item) ? 'is a repetition' : 'is not valid'
  const others = separator === 'spaces' ? 'commas or quotes' : 'spaces or quotes'
  return (
    `is a list separated by single ${separator}, without ${others}; its item ${at + 1} ` +
    `${reason}`
  )
}
