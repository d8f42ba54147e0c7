import type { Queryable } from '@latchkey/service-kit'
import { withoutWaiting } from './commit.ts'

/** Rows per statement: few enough to finish within its time limit on slow storage. */
const batchSize = 500

/**
 * Deletes rows in batches, each in a transaction of its own, so that a large backlog shrinks also
 * where deleting all of it would take longer than a statement may. Rows that are locked, for
 * instance by another instance that is deleting them, are left to the next call.
 *
 * @param condition SQL that selects the rows
 */
export async function deleteInBatches(
  db: Queryable,
  table: string,
  condition: string,
): Promise<void> {
  let deleted: number | null
  do {
    const result = await db.query(`
      DELETE FROM ${table} WHERE ctid = ANY (ARRAY(
        SELECT ctid FROM ${table} WHERE ${condition} LIMIT ${batchSize} FOR UPDATE SKIP LOCKED))
      RETURNING ${withoutWaiting}`)
    deleted = result.rowCount
  } while (deleted === batchSize)
}
