/** Moves this process's wall clock; timers, which are monotonic, stay as they are. */
export function shiftClock(milliseconds: number): void {
  const RealDate = Date
  const now = () => RealDate.now() + milliseconds
  globalThis.Date = class extends RealDate {
    constructor(...given: [] | [string | number | Date]) {
      super(given[0] ?? now())
    }
    static override now = now
  } as DateConstructor
}
