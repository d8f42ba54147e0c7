import t from 'tap'
import { deleteExpiredRevocations } from '../src/revocation/store.ts'
import { startAuth } from './support.ts'

t.test('deletes a backlog in batches, and leaves locked rows to the next call', async (t) => {
  const app = await startAuth(t)
  await app.db.query(`
    INSERT INTO revocations (kind, id, revoked_at, expires_at)
    SELECT 'session', n, now() - interval '1 h', now() - interval '1 s' FROM generate_series(1, 1200) AS n`)
  await app.db.query(`
    INSERT INTO revocations (kind, id, revoked_at, expires_at)
    VALUES ('session', 'live', now() - interval '1 h', now() + interval '1 h')`)
  const other = await app.db.connect()
  await other.query('BEGIN')
  await other.query(`SELECT FROM revocations WHERE id IN ('1', '700') FOR UPDATE`)
  const rowCounts: (number | null)[] = []
  const query = app.db.query.bind(app.db)
  t.intercept(app.db, 'query', {
    value: async (text: string) => {
      const result = await query(text)
      // The instance reads the feed and reports its keys meanwhile.
      if (String(text).includes('DELETE')) rowCounts.push(result.rowCount)
      return result
    },
  })
  await deleteExpiredRevocations(app.db)
  t.strictSame(rowCounts, [500, 500, 198])
  await other.query('ROLLBACK')
  other.release()
  await deleteExpiredRevocations(app.db)
  const { rows } = await query('SELECT id FROM revocations')
  t.strictSame(rows, [{ id: 'live' }])
})
