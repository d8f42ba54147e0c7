import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type Browser, chromium } from 'playwright-core'
import type { Test } from 'tap'

const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin']
const executablePath = folders
  .map((folder) => join(folder, 'chromium'))
  .find((path) => existsSync(path))

/** Skips a test without Chromium; in CI it fails instead. */
export const skip =
  executablePath === undefined &&
  process.env.CI !== 'true' &&
  'needs Chromium, which Debian has as the package chromium'

/** A browser with options of the command line, closed at the end of the test. */
export async function launchBrowser(t: Test, ...options: string[]): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: executablePath ?? 'chromium',
    args: ['--no-sandbox', ...options], // Otherwise it does not run as root, as in a container.
  })
  t.teardown(() => browser.close())
  return browser
}
