// SQL for the outermost SELECT or RETURNING of a statement, or for what takes its first lock: when
// the server acknowledges the commit. Without a row there, it has no effect. It applies to the
// transaction of that statement alone, also through a pooler.

/** On disk, and on a synchronous standby if there is one, whatever the server's default is. */
export const durably = `set_config('synchronous_commit', 'on', true) AS commit`

/**
 * Immediately. A crash of the server or a failover may lose it, so only for what is then reported
 * again or brought by the client: see `rotateSession`.
 */
export const withoutWaiting = `set_config('synchronous_commit', 'off', true) AS commit`
