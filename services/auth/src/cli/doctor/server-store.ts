// Reads what the PostgreSQL server reports about itself.
import type { Queryable } from '@latchkey/service-kit'

/** The state and the settings of the server, as this role's connections get them. */
export interface Server {
  version: string
  /** Its time when it answered, in seconds since 1970. */
  nowSeconds: number
  isInRecovery: boolean
  isReadOnly: boolean
  role: string
  /** Incremented by every promotion; in recovery, that of the last checkpoint. */
  timeline: number
  fsync: string
  fullPageWrites: string
  synchronousCommit: string
  synchronousStandbyNames: string
  /** In milliseconds; 0 is none. */
  statementTimeoutMs: number
  /** Whether the role may see the state of standbys. */
  maySeeStandbys: boolean
}

export async function readServer(db: Queryable): Promise<Server> {
  const { rows } = await db.query<Server>(`
    SELECT current_setting('server_version') AS version,
           extract(epoch FROM clock_timestamp())::float8 AS "nowSeconds",
           pg_is_in_recovery() AS "isInRecovery",
           current_setting('transaction_read_only')::boolean AS "isReadOnly",
           current_user AS role,
           CASE WHEN pg_is_in_recovery() THEN (SELECT timeline_id FROM pg_control_checkpoint())
                ELSE ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int
            END AS timeline,
           current_setting('fsync') AS fsync,
           current_setting('full_page_writes') AS "fullPageWrites",
           current_setting('synchronous_commit') AS "synchronousCommit",
           current_setting('synchronous_standby_names') AS "synchronousStandbyNames",
           (SELECT setting::float8 FROM pg_settings WHERE name = 'statement_timeout')
             AS "statementTimeoutMs",
           pg_has_role('pg_read_all_stats', 'USAGE') AS "maySeeStandbys"`)
  return rows[0] as Server
}

/** A standby that is connected to the server. */
export interface Standby {
  name: string
  /** `streaming` once it has caught up; null to a role without pg_monitor, like `syncState`. */
  state: string | null
  /** `sync` and `quorum`: commits wait for it. `async`, `potential`: they do not. */
  syncState: string | null
}

export async function listStandbys(db: Queryable): Promise<Standby[]> {
  const { rows } = await db.query<Standby>(`
    SELECT application_name AS name, state, sync_state AS "syncState"
      FROM pg_stat_replication WHERE state IS DISTINCT FROM 'backup' ORDER BY application_name`)
  return rows
}
