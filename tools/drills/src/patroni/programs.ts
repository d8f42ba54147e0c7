import { existsSync, readdirSync } from 'node:fs'

/** Where the programs are, by the name of the Debian package. */
export const programs = {
  'etcd-server': '/usr/bin/etcd',
  haproxy: '/usr/sbin/haproxy',
  patroni: '/usr/bin/patroni',
  /** A folder for each release. */
  postgresql: '/usr/lib/postgresql',
}

/** The folder with the programs of the newest PostgreSQL. */
export function findPostgresPrograms(): string {
  const releases = readdirSync(programs.postgresql).map(Number)
  return `${programs.postgresql}/${Math.max(...releases)}/bin`
}

/** Why Patroni cannot run on this machine, if it cannot. */
export function missingPackages(): string | undefined {
  const missing = Object.entries(programs).filter(([, path]) => !existsSync(path))
  if (missing.length === 0) return undefined
  return `needs the Debian packages ${missing.map(([name]) => name).join(', ')}`
}
