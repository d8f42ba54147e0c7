import { startCluster } from '@latchkey/cluster/cluster'
import type { Context, Drill, Finding } from './drill.ts'
import { startPatroni } from './patroni/servers.ts'
import { startPostgresPair } from './postgres-pair.ts'

/** Cheap hashes and no limit: clients register and log in by the hundred from one address. */
export const drillSettings = {
  LATCHKEY_ARGON2_MEMORY_KIB: '7168',
  LATCHKEY_ARGON2_PASSES: '1',
  LATCHKEY_REGISTER_LIMIT: '1000000',
}

/** Runs a drill on a new cluster, which is removed afterwards. */
export async function runDrill(
  { instances = 2, env, dataFolder, pair: pairOptions, patroni: usesPatroni, run }: Drill,
  scale: number,
  progress: Context['progress'] = () => {},
): Promise<Finding[]> {
  const folder = await dataFolder?.()
  const servers = pairOptions && (await startPostgresPair(pairOptions))
  const patroni = usesPatroni && (await startPatroni())
  const where = folder ? { dataFolder: folder.path, ephemeral: false } : { ephemeral: true }
  try {
    const settings = {
      port: 0,
      instances,
      databaseUrl: servers?.pair.url ?? patroni?.servers.url,
      env: { ...drillSettings, ...env },
    }
    const cluster = await startCluster({ ...settings, ...where })
    const own = { pair: servers?.pair, patroni: patroni?.servers }
    return await run({ cluster, ...own, scale, progress }).finally(() => cluster.stop())
  } finally {
    await servers?.remove()
    await patroni?.remove()
    await folder?.release()
  }
}
