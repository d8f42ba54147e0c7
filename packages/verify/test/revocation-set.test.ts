import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { RevocationSet } from '../src/revocation/set.ts'

const now = 1_800_000_000
const later = now + 3_720

t.test('knows a revoked session, and no other', async (t) => {
  const set = new RevocationSet()
  set.add({ sessions: [['one', later]], subjects: [] })
  t.ok(set.has('one', 'ada', now))
  t.notOk(set.has('two', 'ada', now))
  t.notOk(set.has(undefined, 'one', now), 'a subject is not a session')
})

t.test("revokes a subject's tokens issued before the boundary", async (t) => {
  const set = new RevocationSet()
  set.add({ sessions: [], subjects: [['ada', now, later]] })
  t.ok(set.has('s', 'ada', now - 1))
  t.notOk(set.has('s', 'ada', now))
  t.ok(set.has('s', 'ada', undefined), 'a token without iat counts as older')
  t.notOk(set.has('s', 'bob', now - 1))
  set.add({ sessions: [], subjects: [['ada', now - 10, later]] })
  t.ok(set.has('s', 'ada', now - 1), 'an earlier boundary that arrives later changes nothing')
})

t.test('drops entries when they expire, and keeps the others', async (t) => {
  const set = new RevocationSet()
  const ids = Array.from({ length: 20_000 }, () => randomUUID())
  set.add({
    sessions: ids.map((id, i) => [id, now + (i < 15_000 ? 1 : 100)]),
    subjects: [['ada', now, now + 1]],
  })
  t.equal(set.size, 20_001)
  set.forget(now + 1)
  t.equal(set.size, 5_000)
  t.notOk(set.has('s', 'ada', 0))
  for (const id of ids.slice(15_000)) if (!set.has(id, 'x', now)) t.fail('a live entry was dropped')
  for (const id of ids.slice(0, 15_000))
    if (set.has(id, 'x', now)) t.fail('an expired entry remains')
  set.forget(now + 100)
  t.equal(set.size, 0)
})

/** UUIDs, near misses of them, and anything. */
const id = fc.oneof(
  fc.uuid(),
  fc.uuid().map((uuid) => uuid.toUpperCase()),
  fc.constantFrom(
    ...Array.from({ length: 50 }, (_, n) => `0000000${n % 7}-0000-4000-8000-0000000000${n + 10}`),
  ),
  fc.uuid().map((uuid) => uuid.replace('-', 'x')),
  fc.string(),
)

t.test('answers like a plain set for any IDs', async (t) => {
  fc.assert(
    fc.property(
      fc.array(id, { maxLength: 3000 }),
      fc.array(id, { maxLength: 300 }),
      (revoked, asked) => {
        const set = new RevocationSet()
        set.add({ sessions: revoked.map((id) => [id, later]), subjects: [] })
        const plain = new Set(revoked)
        return [...asked, ...revoked].every((id) => set.has(id, '', now) === plain.has(id))
      },
    ),
  )
  t.pass()
})
