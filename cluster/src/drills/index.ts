import type { Drill } from './drill.ts'
import { revocation, revocationInTrouble } from './revocation.ts'
import { rotation } from './rotation.ts'

/** Every drill, in the order in which they are played. */
export const drills: readonly Drill[] = [revocation, revocationInTrouble, rotation]
