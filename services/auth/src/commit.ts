// SQL that sets when the server acknowledges the commit of a statement, for that statement alone and
// also through a pooler. It belongs in the outermost SELECT or RETURNING, or where the first lock is
// taken: it has no effect unless a row is returned there.

/** On disk, and on a synchronous standby if there is one, whatever the server's default is. */
export const durably = `set_config('synchronous_commit', 'on', true) AS commit`

/** On disk, without waiting for a standby. A failover may lose it. */
export const withoutStandby = `set_config('synchronous_commit', 'local', true) AS commit`

/**
 * Immediately. A crash of the server or a failover may lose it, so only for what is then reported
 * again or brought by the client: see `rotateSession`.
 */
export const withoutWaiting = `set_config('synchronous_commit', 'off', true) AS commit`
