import { type Drill, pairOf } from './drill.ts'
import { authDatabase, openSessions, refreshAll, refreshesEach, sessionIds } from './lost-writes.ts'
import { allAnswer } from './restored-writes.ts'

/** Refreshes wait for no disk, so a server that is killed loses the last ones. */
export const postgresKilled: Drill = {
  name: 'postgres-killed',
  description:
    'Postgres killed (SIGKILL) before it has written the last of 2,000 refreshes to disk',
  pair: { isSynchronous: false },
  async run(context) {
    const { cluster } = context
    const { primary, proxy } = pairOf(context)
    const { refreshed } = await openSessions(context)
    // The longest possible, so that the loss does not depend on the moment.
    await primary.query("ALTER SYSTEM SET wal_writer_delay = '10s'")
    await primary.query('SELECT pg_reload_conf()')
    await primary.until("current_setting('wal_writer_delay') = '10s'")
    await refreshAll(cluster, refreshed)
    await primary.kill()
    proxy.switchTo(undefined)
    await primary.start()
    const behind = 'SELECT id FROM sessions WHERE id = ANY ($1) AND generation < $2'
    const values = [sessionIds(refreshed), refreshesEach]
    const { length: lost } = await primary.query(behind, values, authDatabase(cluster))
    proxy.switchTo(primary.port)
    return [
      { claim: 'refreshes are lost', seen: `of ${lost} sessions`, holds: lost > 0 },
      await allAnswer('the newest token of each session works', cluster, refreshed, 200),
    ]
  },
}
