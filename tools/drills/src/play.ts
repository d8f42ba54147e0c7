import { startCluster } from '@latchkey/cluster/cluster'
import type { Drill, Finding, Stage } from './drill.ts'

/** Clients register and log in by the hundred, from one address; what a hash costs is the concern of one drill alone. */
export const drillSettings = {
  LATCHKEY_ARGON2_MEMORY_KIB: '7168',
  LATCHKEY_ARGON2_PASSES: '1',
  LATCHKEY_REGISTER_LIMIT: '1000000',
}

/** Plays one drill on a fresh cluster of its own, which is gone afterwards. */
export async function play(
  drill: Drill,
  scale: number,
  progress: Stage['progress'] = () => {},
): Promise<Finding[]> {
  const { instances, env = {} } = drill
  const folder = await drill.dataFolder?.()
  const ephemeral = folder === undefined
  try {
    const dataFolder = folder?.path
    const settings = { instances, ephemeral, dataFolder, env: { ...drillSettings, ...env } }
    const cluster = await startCluster({ port: 0, ...settings })
    try {
      return await drill.run({ cluster, scale, progress })
    } finally {
      await cluster.stop()
    }
  } finally {
    await folder?.release()
  }
}
