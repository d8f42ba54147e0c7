import { randomBytes } from 'node:crypto'
import { Client } from 'pg'
import { ClusterError, hasCode } from '../errors/cluster-error.ts'
import { type ServiceName, serviceNames } from '../services/services.ts'

/** A database for each service, each with a role that can connect to no other. */
export interface Databases {
  readonly urls: Readonly<Record<ServiceName, string>>
  /** As `18.4`. */
  readonly serverVersion: string
  /** Removes the databases and the roles. */
  drop(): Promise<void>
}

/**
 * Creates the missing databases, named as `latchkey_orders`, each owned by a role of the same name.
 *
 * @param fresh uses new names, for an ephemeral cluster on a shared server
 * @throws ClusterError if the server is unreachable or denies the user
 */
export async function prepareDatabases(
  adminUrl: string,
  passwords: Readonly<Record<ServiceName, string>>,
  { fresh }: { readonly fresh: boolean },
): Promise<Databases> {
  const suffix = fresh ? `_${randomBytes(4).toString('hex')}` : ''
  const names = serviceNames.map((service) => [service, `latchkey_${service}${suffix}`] as const)
  const serverVersion = await asAdmin(adminUrl, async (client) => {
    await client.query("SELECT pg_advisory_lock(hashtext('latchkey cluster'))")
    for (const [service, name] of names) await createDatabase(client, name, passwords[service])
    const { rows } = await client.query<{ server_version: string }>('SHOW server_version')
    return rows[0]?.server_version.split(' ', 1)[0] ?? ''
  })
  const urls = names.map(([service, name]) => {
    const url = Object.assign(new URL(adminUrl), { username: name, password: passwords[service] })
    url.pathname = `/${name}`
    return [service, url.href]
  })
  return {
    urls: Object.fromEntries(urls),
    serverVersion,
    drop: () =>
      asAdmin(adminUrl, async (client) => {
        for (const [, name] of names) {
          await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`)
          await client.query(`DROP ROLE IF EXISTS ${name}`)
        }
      }),
  }
}

async function createDatabase(client: Client, name: string, password: string): Promise<void> {
  const { rows } = await client.query<{ role: boolean; database: boolean }>(
    `SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1) AS role,
            EXISTS (SELECT FROM pg_database WHERE datname = $1) AS database`,
    [name],
  )
  const verb = rows[0]?.role ? 'ALTER' : 'CREATE'
  await client.query(`${verb} ROLE ${name} LOGIN PASSWORD ${client.escapeLiteral(password)}`)
  if (rows[0]?.database) return
  // Only a member of a role, or a superuser, can make it an owner, and can drop it.
  await client.query(`GRANT ${name} TO CURRENT_USER`)
  await client.query(`CREATE DATABASE ${name} OWNER ${name}`)
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`)
}

async function asAdmin<T>(adminUrl: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { hostname, port, username } = new URL(adminUrl)
  const server = `the database server at ${hostname}:${port || 5432}`
  const timeouts = { connectionTimeoutMillis: 5_000, query_timeout: 30_000 }
  const client = new Client({ connectionString: adminUrl, ...timeouts })
  client.on('error', () => {})
  try {
    await client.connect()
  } catch (err) {
    const [reason] = (err instanceof AggregateError ? err.errors[0] : err).message.split('\n')
    if (hasCode(err, '28P01', '28000')) {
      throw new ClusterError(`Login as "${username}" at ${server} was refused: ${reason}.`)
    }
    throw new ClusterError(`Cannot reach ${server}: ${reason}.`)
  }
  try {
    return await work(client)
  } catch (err) {
    if (!hasCode(err, '42501')) throw err
    throw new ClusterError(
      `The user "${username}" cannot create databases and roles on ${server}; grant it CREATEDB and CREATEROLE.`,
    )
  } finally {
    await client.end()
  }
}
