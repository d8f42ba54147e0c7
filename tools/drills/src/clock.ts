// Loaded into service instances with --import. LATCHKEY_DRILL_CLOCK="orders-1 30" moves the wall
// clock of that instance 30 s ahead; timers, which are monotonic, stay as they are.
const [instance, seconds] = process.env.LATCHKEY_DRILL_CLOCK?.split(' ') ?? []

if (instance === process.env.LATCHKEY_INSTANCE) {
  const RealDate = Date
  const now = () => RealDate.now() + Number(seconds) * 1_000
  globalThis.Date = class extends RealDate {
    constructor(...given: [] | [string | number | Date]) {
      super(given[0] ?? now())
    }
    static override now = now
  } as DateConstructor
}
