import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cluster } from '@latchkey/cluster/cluster'
import { login } from '@latchkey/test-kit/client'
import { execaNode } from 'execa'
import {
  type Context,
  type Drill,
  type Finding,
  formatSeconds,
  pidsOf,
  repeat,
  scaled,
} from './drill.ts'
import { noneFails, noRestart } from './findings.ts'
import { underTraffic } from './traffic.ts'

const rotations = 10
/** There and back. */
const moves = 2 * 10
const latchkey = join(resolve(import.meta.dirname, '../../..'), 'services/auth/src/cli/main.ts')

// A key can be retired once its tokens have expired.
const env = { LATCHKEY_ACCESS_TOKEN_TTL_SECONDS: '5' }

/** Rotates keys with the operator's command while tokens of every key are in use. */
export const rotation: Drill = {
  name: 'rotation',
  description: 'ten whole key rotations (add, promote, retire) within a minute of load',
  env,
  async run(context) {
    const refusal = await promoteWithoutBilling(context.cluster)
    return [
      {
        claim: 'promote is refused while billing-1 cannot reload, and names it',
        seen: refusal,
        holds: /billing-1 .*unheard/.test(refusal),
      },
      ...(await rotateUnderLoad(context, rotations, () => 'HS256')),
    ]
  },
}

/** Moves the signing key between a shared secret and a key pair, as `rotation` does. */
export const algorithms: Drill = {
  name: 'algorithms',
  description: 'from HS256 to ES256 and back ten times, under load',
  env,
  run: (context) => rotateUnderLoad(context, moves, (n) => (n % 2 === 0 ? 'ES256' : 'HS256')),
}

async function rotateUnderLoad(
  context: Context,
  count: number,
  algorithmOf: (n: number) => string,
): Promise<Finding[]> {
  const { cluster, scale } = context
  const total = scaled(count, scale)
  const pids = pidsOf(cluster)
  const startedAt = performance.now()
  const elapsedMs = () => performance.now() - startedAt
  const signed = new Set<string>()
  const { answers, result } = await underTraffic(cluster.url, { whoami: 10 }, async () => {
    const retirements: Promise<string>[] = []
    await repeat(context, count, 'rotations', async (n) => {
      const old = (await readKeys(cluster))[0]?.kid ?? ''
      await runKeys(cluster, 'add', `drill-${n}`, '--alg', algorithmOf(n))
      await retryUntilAllowed(() => runKeys(cluster, 'promote', `drill-${n}`))
      await untilSigned(cluster, `drill-${n}`)
      signed.add(algorithmOf(n))
      retirements.push(retryUntilAllowed(() => runKeys(cluster, 'retire', old)))
    })
    await Promise.all(retirements)
    const seen = `in ${formatSeconds(elapsedMs())}`
    await sleep(Math.max(0, 60_000 * scale - elapsedMs()))
    return seen
  })
  const left = (await readKeys(cluster)).filter(({ use }) => use === undefined)
  return [
    {
      claim: `${total} whole rotations succeed, and each key signs (${[...signed].join(', ')})`,
      seen: `${result}; ${left.length} key left`,
      holds: left.length === 1 && left[0]?.kid === `drill-${total - 1}`,
    },
    noneFails('no valid token is refused', answers),
    noRestart(cluster, pids),
  ]
}

/** Waits until a login returns a token that is signed with a key. */
async function untilSigned({ url, demoUser }: Cluster, kid: string): Promise<void> {
  await retryUntilAllowed(async () => {
    const { access_token } = await login(url, demoUser)
    const header = Buffer.from(access_token.split('.', 1).join(), 'base64url').toString()
    if (JSON.parse(header).kid !== kid) throw new Error(`${kid} does not sign yet.`)
  })
}

/** @returns the command's message when a verifier that has reported cannot reload the key file */
async function promoteWithoutBilling(cluster: Cluster): Promise<string> {
  // Only a verifier that has reported at least once is waited for.
  await retryUntilAllowed(async () => {
    const status = await runKeys(cluster, 'status')
    if (!status.includes('billing-1')) throw new Error('billing-1 has not reported yet.')
  })
  cluster.freeze('billing-1')
  try {
    await runKeys(cluster, 'add', 'unheard')
    // By then the others have reloaded and reported.
    await sleep(4_000)
    const promoting = runKeys(cluster, 'promote', 'unheard').then(() => 'it was promoted')
    return await promoting.catch(({ stderr }) => String(stderr).trim().replaceAll(/\s+/g, ' '))
  } finally {
    cluster.thaw('billing-1')
    await retryUntilAllowed(() => runKeys(cluster, 'retire', 'unheard'))
  }
}

async function readKeys({ keysFile }: Cluster): Promise<{ kid: string; use?: string }[]> {
  return JSON.parse(await readFile(keysFile, 'utf8')).keys
}

/** Runs `latchkey keys …` on the cluster. */
async function runKeys(cluster: Cluster, verb: string, ...more: string[]) {
  const { keysFile, serviceKeys, url } = cluster
  const args = ['keys', verb, ...more, '--keys', keysFile]
  if (verb !== 'status') args.push('--service-keys', serviceKeys)
  if (verb !== 'add') args.push('--auth', `${url}/auth`, '--issuer', `${url}/auth`)
  return (await execaNode(latchkey, args, { timeout: 20_000 })).stdout
}

/** The command refuses a step while it would break a verifier or a live token. */
async function retryUntilAllowed<T>(step: () => Promise<T>): Promise<T> {
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
