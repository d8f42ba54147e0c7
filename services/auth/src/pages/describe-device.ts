import type { Texts } from './texts/en.ts'

type Names = readonly (readonly [pattern: RegExp, name: string])[]

/** The first match counts: most browsers also name the others. */
const browsers: Names = [
  [/\bEdg(?:A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:Chrome|CriOS)\//, 'Chrome'],
  [/\bSafari\//, 'Safari'],
]

const systems: Names = [
  [/\biPhone\b/, 'iPhone'],
  [/\biPad\b/, 'iPad'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bMacintosh\b/, 'macOS'],
  [/\bLinux\b/, 'Linux'],
]

/** Describes a `User-Agent` in words. Of a program that is not a browser, it is the first name. */
export function describeDevice(userAgent: string | null, { account }: Texts): string {
  const find = (names: Names) => names.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1]
  const browser = find(browsers)
  const system = find(systems)
  if (browser && system) return account.device(browser, system)
  const program = /^[^\s/]{1,50}/.exec(userAgent ?? '')?.[0]
  return browser ?? system ?? program ?? account.unknownDevice
}
