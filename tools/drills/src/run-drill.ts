import { startCluster } from '@latchkey/cluster/cluster'
import type { Context, Drill, Finding } from './drill.ts'

/** Cheap hashes and no limit: clients register and log in by the hundred from one address. */
export const drillSettings = {
  LATCHKEY_ARGON2_MEMORY_KIB: '7168',
  LATCHKEY_ARGON2_PASSES: '1',
  LATCHKEY_REGISTER_LIMIT: '1000000',
}

/** Runs a drill on a new cluster, which is removed afterwards. */
export async function runDrill(
  drill: Drill,
  scale: number,
  progress: Context['progress'] = () => {},
): Promise<Finding[]> {
  const { instances = 2, env } = drill
  const folder = await drill.dataFolder?.()
  try {
    const cluster = await startCluster({
      port: 0,
      instances,
      ephemeral: folder === undefined,
      dataFolder: folder?.path,
      env: { ...drillSettings, ...env },
    })
    try {
      return await drill.run({ cluster, scale, progress })
    } finally {
      await cluster.stop()
    }
  } finally {
    await folder?.release()
  }
}
