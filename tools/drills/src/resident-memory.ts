/**
 * Bounds of the resident memory of an instance, in MB. The drills check them; the Kubernetes
 * manifests request no less.
 */
export const maxResidentMb = {
  /** Of every service without requests. */
  atRest: 150,
  /** Of auth: at rest, its queue, and a hash of 64 MiB on each of three threads. */
  hashing: 360,
} as const
