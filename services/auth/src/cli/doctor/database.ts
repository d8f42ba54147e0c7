import { type CommandDatabase, countConnections, readSchemaState } from '@latchkey/service-kit'
import type { VerifierReport } from '../../verifiers/store.ts'
import type { Clock } from './clocks.ts'
import { checkConnections, checkPooler } from './connections.ts'
import { type Finding, tryCheck } from './finding.ts'
import { checkReplication } from './replication.ts'
import { checkSchema } from './schema.ts'
import { listStandbys, readServer } from './server-store.ts'
import { checkDatabaseUrl } from './settings.ts'

const migrations = new URL('../../../migrations/', import.meta.url)

/** Runs the checks that ask the database, and compares its clock with that of this machine. */
export async function checkDatabase(
  db: CommandDatabase,
  { env, verifiers }: { env: NodeJS.ProcessEnv; verifiers: readonly VerifierReport[] },
): Promise<{ findings: Finding[]; clock?: Clock }> {
  let clock: Clock | undefined
  const instances = verifiers.filter(({ service }) => service === 'auth')
  const checks = {
    server: async () => {
      const askedAt = Date.now()
      const server = await readServer(db)
      const nowSeconds = (askedAt + Date.now()) / 2_000
      const aheadSeconds = nowSeconds - server.nowSeconds
      clock = { name: 'this machine', comparedWith: 'the database', aheadSeconds }
      return [
        ...checkReplication(server, await listStandbys(db)),
        ...checkPooler(server, env.LATCHKEY_DATABASE_POOLER),
      ]
    },
    connections: async () => {
      const names = instances.map(({ instance }) => instance)
      const poolMax = Number(env.LATCHKEY_DATABASE_POOL_MAX) || undefined
      const connections = await countConnections(db, names)
      return checkConnections(connections, { instances: names.length, poolMax })
    },
    schema: async () => checkSchema(await readSchemaState(db, migrations)),
    database_url: () => checkDatabaseUrl(db.url, env.PGSSLMODE),
  }
  const findings: Finding[] = []
  for (const [subject, check] of Object.entries(checks)) {
    findings.push(...(await tryCheck(subject, check)))
  }
  return { findings, ...(clock && { clock }) }
}
