import type { Pool } from 'pg'

/** Connections of the server, without this one. */
export interface Connections {
  /** How many a role without privileges may open. */
  limit: number
  used: number
  /** How many of those have the name of one of the instances. */
  usedByInstances: number
}

/** @param instances names of instances (`LATCHKEY_INSTANCE`) that use the current database */
export async function countConnections(
  db: Pick<Pool, 'query'>,
  instances: readonly string[] = [],
): Promise<Connections> {
  const { rows } = await db.query<Connections>(
    `SELECT (SELECT sum(CASE name WHEN 'max_connections' THEN setting::int ELSE -setting::int END)
               FROM pg_settings WHERE name IN
                 ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
            )::int AS limit,
            count(*)::int AS used,
            (count(*) FILTER (WHERE application_name = ANY (ARRAY(
              SELECT unnest($1::text[])::name::text)) AND datname = current_database())
            )::int AS "usedByInstances"
       FROM pg_stat_activity WHERE datid IS NOT NULL AND pid <> pg_backend_pid()`,
    [instances],
  )
  return rows[0] as Connections
}
