import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { ensureKeys } from '../src/data/keys.ts'

t.test('a key file of version 0.1 keeps its keys and gets the kinds that it lacks', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'latchkey-keys-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const files = { keysFile: join(folder, 'keys.json'), serviceKeys: join(folder, 'service-keys') }
  const read = async (): Promise<{ use?: string }[]> =>
    JSON.parse(await readFile(files.keysFile, 'utf8')).keys
  await ensureKeys(files, ['orders'])
  const old = (await read()).slice(0, 2)
  await writeFile(files.keysFile, JSON.stringify({ keys: old }))
  await ensureKeys(files, ['orders'])
  const now = await read()
  t.strictSame(now.slice(0, 2), old)
  t.match(now.slice(2), [{ use: 'latchkey:root' }, { use: 'latchkey:id-token' }])
  await ensureKeys(files, ['orders'])
  t.strictSame(await read(), now, 'a complete file is left as it is')
})
