import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { type Drill, noRestart, pidsOf, scaled } from './drill.ts'
import { describeFailures, startLoad } from './load.ts'

const rotations = 10
const latchkey = join(resolve(import.meta.dirname, '../../..'), 'services/auth/src/cli/main.ts')

/** Whole rotations, by the command an operator uses, while tokens of every key are in use. */
export const rotation: Drill = {
  name: 'rotation',
  what: 'ten whole key rotations (add, promote, retire) within a minute of load',
  instances: 2,
  // So that the tokens of ten keys can be waited for.
  env: { LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: '5' },
  async run({ cluster, scale, progress }) {
    const total = scaled(rotations, scale)
    const pids = pidsOf(cluster)
    const refusal = await promoteWithoutBilling(cluster)
    const load = await startLoad(cluster.url, 10)
    const startedAt = Date.now()
    const retirements: Promise<string>[] = []
    for (let n = 1; n <= total; n += 1) {
      const old = await signingKid(cluster)
      await keys(cluster, 'add', `drill-${n}`)
      await insist(() => keys(cluster, 'promote', `drill-${n}`))
      retirements.push(insist(() => keys(cluster, 'retire', old)))
      progress(n, total, 'rotations')
    }
    await Promise.all(retirements)
    const elapsed = (Date.now() - startedAt) / 1_000
    await sleep(Math.max(0, 60 * scale - elapsed) * 1_000)
    await load.stop()
    const failures = describeFailures(load)
    const left = (await readRing(cluster)).filter(({ use }) => use === undefined)
    return [
      {
        claim: 'promote is refused while billing-1 cannot reload, and names it',
        seen: refusal,
        holds: /billing-1 .*does not have unheard/.test(refusal),
      },
      {
        claim: `${total} whole rotations`,
        seen: `in ${elapsed.toFixed(0)} s; ${left.length} key left`,
        holds: left.length === 1 && left[0]?.kid === `drill-${total}`,
      },
      { claim: 'no live token is refused', seen: failures.text, holds: failures.failed === 0 },
      noRestart(cluster, pids),
    ]
  },
}

/** @returns what the command says when a verifier that was seen lately has no chance to reload */
async function promoteWithoutBilling(cluster: Cluster): Promise<string> {
  // A verifier is waited for once it has been seen.
  await insist(async () => {
    if (!(await keys(cluster, 'status')).includes('billing-1')) throw new Error('not seen yet')
  })
  cluster.freeze('billing-1')
  try {
    await keys(cluster, 'add', 'unheard')
    // The others have reloaded and reported by then.
    await sleep(4_000)
    return await keys(cluster, 'promote', 'unheard').then(
      () => 'it was promoted',
      (err: Error) => err.message.replaceAll(/\s+/g, ' '),
    )
  } finally {
    cluster.thaw('billing-1')
    await insist(() => keys(cluster, 'retire', 'unheard'))
  }
}

async function readRing({ keysFile }: Cluster): Promise<{ kid: string; use?: string }[]> {
  return JSON.parse(await readFile(keysFile, 'utf8')).keys
}

const signingKid = async (cluster: Cluster) => (await readRing(cluster))[0]?.kid ?? ''

/** Runs `latchkey keys …` against the cluster. */
function keys({ keysFile, url }: Cluster, verb: string, ...kid: string[]): Promise<string> {
  const args = [latchkey, 'keys', verb, ...kid, '--keys', keysFile]
  if (verb !== 'add') args.push('--auth', `${url}/auth`, '--issuer', `${url}/auth`)
  return new Promise((done, fail) => {
    execFile(process.execPath, args, { timeout: 20_000 }, (err, stdout, stderr) =>
      err ? fail(new Error(stderr.trim())) : done(stdout),
    )
  })
}

/** Tries until it is allowed: the command refuses while it would hurt somebody. */
async function insist<T>(step: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + 60_000
  for (;;) {
    try {
      return await step()
    } catch (err) {
      if (Date.now() > deadline) throw err
      await sleep(1_000)
    }
  }
}
