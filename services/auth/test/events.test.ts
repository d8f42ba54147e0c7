import t from 'tap'
import { insertEvent, listEvents } from '../src/audit/store.ts'
import { startAuth } from './support.ts'

t.test('lists events by their number, not by its text', async (t) => {
  const { db } = await startAuth(t)
  for (let i = 0; i < 12; i += 1) {
    await insertEvent(db, { action: 'login', actor: 'anonymous' }, null)
  }
  const listed = await listEvents(db, { limit: 12 })
  const ids = listed.map(({ id }) => Number(id))
  t.strictSame(
    ids,
    ids.toSorted((a, b) => b - a),
  )
  t.equal(ids.length, 12)
})
