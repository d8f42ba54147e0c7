/**
 * Bounds of the resident memory of an instance, in MB. The drills check them; the Kubernetes
 * manifests request no less.
 */
export const maxResidentMb = {
  /** Of every service without requests. */
  atRest: 150,
  /**
   * Of auth: at rest, its queue, a hash of 64 MiB on each of three threads, and 100 MB for the
   * dictionaries that new passwords are compared with.
   */
  hashing: 480,
} as const
