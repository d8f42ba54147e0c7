import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ConfigError } from '@latchkey/service-kit'
import type { AuthConfig } from '../config.ts'
import { createStyle } from './style.ts'

/** What all pages have in common, read from the settings once. */
export interface Theme {
  readonly productName: string
  /** A `data:` URI, so that an instance of another version never has to serve it. */
  readonly logo: string | undefined
  /** The content of the one `<style>`. */
  readonly style: string
  /** Permits that content in a Content-Security-Policy: `'sha256-…'`. */
  readonly styleSource: string
}

/** Every page contains the logo. */
const maxLogoBytes = 65_536

/**
 * Reads the theme of the pages.
 *
 * @throws ConfigError when the logo cannot be read, is too large, or is neither SVG nor PNG
 */
export async function loadTheme(
  config: Pick<
    AuthConfig,
    'LATCHKEY_ACCENT_COLOR' | 'LATCHKEY_LOGO_FILE' | 'LATCHKEY_PRODUCT_NAME'
  >,
): Promise<Theme> {
  const style = createStyle(config.LATCHKEY_ACCENT_COLOR)
  const logo = config.LATCHKEY_LOGO_FILE
  return {
    productName: config.LATCHKEY_PRODUCT_NAME,
    logo: logo === undefined ? undefined : await readLogo(logo),
    style,
    styleSource: `'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  }
}

async function readLogo(file: string): Promise<string> {
  const image = await readFile(file).catch((err: NodeJS.ErrnoException) => {
    throw new ConfigError(`LATCHKEY_LOGO_FILE: ${file} cannot be read (${err.code})`)
  })
  if (image.length > maxLogoBytes) {
    throw new ConfigError(`LATCHKEY_LOGO_FILE: ${file} is larger than 64 KB`)
  }
  return `data:${mediaTypeOf(image, file)};base64,${image.toString('base64')}`
}

function mediaTypeOf(image: Buffer, file: string): string {
  if (image.subarray(0, 8).equals(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'))) return 'image/png'
  // In an <img>, a browser runs no script of an SVG and loads nothing for it.
  if (/<svg[\s>]/.test(image.toString('utf8'))) return 'image/svg+xml'
  throw new ConfigError(`LATCHKEY_LOGO_FILE: ${file} is neither an SVG nor a PNG`)
}
