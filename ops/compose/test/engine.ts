import { spawnSync } from 'node:child_process'

/** The Docker engine of this machine, as far as tests need it. */
export interface Engine {
  /** `docker compose`, or the older `docker-compose` in its compatible mode. */
  readonly compose: readonly [string, ...string[]]
}

const answers = (command: string, ...args: string[]): boolean =>
  spawnSync(command, args, { timeout: 30_000 }).status === 0

function findCompose(): Engine['compose'] | undefined {
  if (answers('docker', 'compose', 'version')) return ['docker', 'compose']
  // It scales by `deploy.replicas` in this mode alone.
  if (answers('docker-compose', 'version')) return ['docker-compose', '--compatibility']
  return undefined
}

/** The engine, or undefined and, in `lacking`, what this machine has not. */
export function findEngine(): { engine?: Engine; lacking?: string } {
  if (!answers('docker', 'version')) return { lacking: 'no Docker engine answers' }
  const compose = findCompose()
  return compose ? { engine: { compose } } : { lacking: 'there is no docker compose' }
}

/** Options of a test that needs the engine: skipped aloud without one, run to fail in CI. */
export const needsEngine = ({ lacking }: { lacking?: string }) => ({
  skip: process.env.CI === 'true' ? false : (lacking ?? false),
})
