/** `npm run bench:verify`: both benchmarks of the verifier, with the same arguments. */
await import('./verify.ts')
await import('./verify-http.ts')
