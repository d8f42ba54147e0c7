import type { GeneratorValue } from 'fast-check'
import fc from 'fast-check'
import { type Draft, draftValid, objectSchemaOf, type Plan, render } from './draft.ts'
import { valuesOf } from './generate-values.ts'
import { hostile } from './hostile-requests.ts'
import { nearValid } from './near-valid.ts'
import type { Operation } from './operations.ts'
import { one } from './variation.ts'

const variations = { 'near-valid': nearValid, hostile }

/** Generates requests, each operation in turn. The same seed makes the same requests. */
export function generateRequests(
  operations: readonly Operation[],
  { requests, seed }: { requests: number; seed: number },
): Plan[] {
  let made = 0
  const plans = fc.gen().map((g) => {
    const operation = operations[made++ % operations.length] as Operation
    const kind = one(g, ['valid', 'valid', 'near-valid', 'hostile'] as const)
    return kind === 'valid'
      ? render(draftValid(operation, g), { kind, variation: kind, mustBeRefused: false })
      : vary(operation, kind, g)
  })
  return fc.sample(plans, { seed, numRuns: requests })
}

function vary(operation: Operation, kind: keyof typeof variations, g: GeneratorValue): Plan {
  const variation = one(
    g,
    variations[kind].filter(({ appliesTo }) => appliesTo(operation)),
  )
  const { name, mustBeRefused = false, change } = variation
  const draft: Draft = draftValid(operation, g)
  // A body that may be absent is one here, so that there is something to change.
  const members = objectSchemaOf(operation.body)
  if (members && typeof draft.body !== 'object') draft.body = g(() => valuesOf(members))
  draft.body ??= members && g(() => valuesOf(members))
  change(draft, g)
  return render(draft, { kind, variation: name, mustBeRefused })
}
