import { spawnSync } from 'node:child_process'

// Debian's python3-jwt belongs to Debian's Python, which may not be the first on the path.
const found = ['python3', '/usr/bin/python3'].find(
  (command) => spawnSync(command, ['-c', 'import jwt']).status === 0,
)

/** A Python that has PyJWT. */
export const python = found ?? 'python3'

/** Options of a test that needs PyJWT: it is skipped without it, and fails in CI. */
export const needsPyJwt = {
  skip: process.env.CI !== 'true' && !found && 'PyJWT is not installed (Debian: python3-jwt)',
}
