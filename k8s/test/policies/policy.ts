import type { KubeObject } from '../objects.ts'

/** One rule of the house: what the rendered objects have against it, a sentence each. */
export type Policy = (objects: readonly KubeObject[]) => string[]
