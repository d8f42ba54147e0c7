/** A colour as red, green and blue, each from 0 to 255. */
type Color = readonly [red: number, green: number, blue: number]

const parse = (text: string): Color => {
  const [red = 0, green = 0, blue = 0] = Buffer.from(text.slice(1), 'hex')
  return [red, green, blue]
}

const format = (color: Color) => `#${Buffer.from(color).toString('hex')}`

/** Relative luminance (WCAG 2.2). */
function luminance(color: Color): number {
  const [red = 0, green = 0, blue = 0] = color.map((part) => {
    const share = part / 255
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
  })
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/**
 * The contrast of two colours (WCAG 2.2), from 1 to 21.
 *
 * @param one a colour as `#rrggbb`
 */
export function contrastOf(one: string, other: string): number {
  const [dark = 0, light = 0] = [one, other]
    .map((text) => luminance(parse(text)))
    .sort((a, b) => a - b)
  return (light + 0.05) / (dark + 0.05)
}

/** Black or white, whichever is easier to read on a colour: the contrast is at least 4.5. */
export const textOn = (background: string): string =>
  contrastOf(background, '#ffffff') >= contrastOf(background, '#000000') ? '#ffffff' : '#000000'

/** The colour nearest to `color` that has a contrast of at least 4.5 (WCAG 1.4.3) on a background. */
export function readableOn(background: string, color: string): string {
  const target = parse(textOn(background))
  const start = parse(color)
  for (let percent = 0; percent < 100; percent += 5) {
    const mix = (at: 0 | 1 | 2) =>
      Math.round(start[at] + ((target[at] - start[at]) * percent) / 100)
    const mixed = format([mix(0), mix(1), mix(2)])
    if (contrastOf(mixed, background) >= 4.5) return mixed
  }
  return format(target)
}
