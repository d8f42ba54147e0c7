import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { execaSync } from 'execa'
import { EmbeddedPostgresError } from './errors.ts'

export interface SystemUser {
  readonly uid: number
  readonly gid: number
}

/**
 * The user to run PostgreSQL as where it cannot be the current one: PostgreSQL refuses to run as
 * root, so root uses `postgres`, which is created if it does not exist.
 *
 * @throws EmbeddedPostgresError when the user cannot be created
 */
export function findServerUser(onEvent: (sentence: string) => void): SystemUser | undefined {
  if (process.getuid?.() !== 0) return undefined
  const existing = findPostgresUser()
  if (existing) return existing
  execaSync('useradd', ['--system', '--user-group', 'postgres'], { reject: false })
  const created = findPostgresUser()
  if (!created) {
    throw new EmbeddedPostgresError(
      'PostgreSQL refuses to run as root, and the user "postgres" cannot be created; start as another user',
    )
  }
  onEvent('created the system user "postgres", because PostgreSQL refuses to run as root')
  return created
}

function findPostgresUser(): SystemUser | undefined {
  const id = (flag: string) => execaSync('id', [flag, 'postgres'], { reject: false })
  const [uid, gid] = [id('-u'), id('-g')]
  if (uid.failed || gid.failed) return undefined
  return { uid: Number(uid.stdout), gid: Number(gid.stdout) }
}

/**
 * Checks that the user can enter a folder and every folder above it.
 *
 * @throws EmbeddedPostgresError naming the first folder that it cannot enter
 */
export function assertReachable(path: string, user: SystemUser): void {
  const parent = dirname(path)
  if (parent !== path) assertReachable(parent, user)
  const { uid, gid, mode } = statSync(path)
  const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001
  if ((mode & bit) !== 0) return
  throw new EmbeddedPostgresError(
    `PostgreSQL refuses to run as root, and the user "postgres" cannot enter ${path}; move the files elsewhere, or start as another user`,
  )
}
