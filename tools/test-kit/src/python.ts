import { spawnSync } from 'node:child_process'

/**
 * Finds a Python that has some modules. Debian's modules belong to Debian's Python, which may not be the
 * first on the path.
 *
 * @returns its command, and the option of a test that needs it: the test is skipped without the
 *   modules, and fails in CI
 */
export function findPython(modules: string, debianPackages: string) {
  const found = ['python3', '/usr/bin/python3'].find(
    (command) => spawnSync(command, ['-c', `import ${modules}`]).status === 0,
  )
  const skip = process.env.CI !== 'true' && !found && `needs ${modules} (Debian: ${debianPackages})`
  return { command: found ?? 'python3', skip }
}
