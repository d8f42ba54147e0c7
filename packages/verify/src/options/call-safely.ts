/**
 * Calls a function that the application gave, and does not wait for it. If it throws or rejects,
 * whatever it throws, that is reported and stops nothing.
 *
 * @param name the function, in the report
 */
export function callSafely<T>(
  name: string,
  call: ((value: T) => unknown) | undefined,
  value: T,
  warn: (message: string) => void,
): void {
  const report = (err: unknown) => warn(`${name} failed: ${describe(err)}`)
  try {
    Promise.resolve(call?.(value)).catch(report)
  } catch (err) {
    report(err)
  }
}

/** Anything can be thrown, also what cannot be turned into text. */
function describe(err: unknown): string {
  try {
    return String((err instanceof Error && err.stack) || err)
  } catch {
    return 'it threw something that cannot be printed'
  }
}

/**
 * Refuses a callback that is not a function.
 *
 * @throws TypeError which names it
 */
export function checkCallbacks<Name extends string>(
  options: { readonly [name in NoInfer<Name>]?: unknown },
  ...names: readonly Name[]
): void {
  for (const name of names) {
    if (options[name] === undefined || typeof options[name] === 'function') continue
    throw new TypeError(`${name} must be a function`)
  }
}
