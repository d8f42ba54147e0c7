import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Test } from 'tap'
import { readBlocks } from '../../tools/test-kit/src/guide.ts'

export const root = resolve(import.meta.dirname, '../..')
const page = 'docs/guides/add-your-own-service.md'
const deadlineMs = 300_000

/** The blocks of a language below a heading of the guide. */
export const blocksOf = (heading: string, language: string) =>
  readBlocks(page)
    .filter((block) => block.heading === heading && block.language === language)
    .map(({ code }) => code)

/** Runs a program without tap's loader, which tap adds to NODE_OPTIONS of every child process. */
export async function run(cwd: string, ...command: string[]): Promise<string> {
  const options = { cwd, timeout: deadlineMs }
  const { stdout } = await promisify(execFile)('env', ['-u', 'NODE_OPTIONS', ...command], options)
  return stdout
}

/** Runs commands of a page. */
export const runShell = (cwd: string, script: string) => run(cwd, 'bash', '--norc', '-euc', script)

/**
 * Stands in for `npm install` of published packages, which would need the network: links them from
 * this repository.
 */
export function installByLink(shop: string, command: string): void {
  for (const name of command.trim().split(' ').slice(2)) {
    if (name.startsWith('--')) continue
    const folders = ['packages/verify/node_modules', 'node_modules'].map((path) => join(root, path))
    const source = folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
    if (source === undefined) throw new Error(`this repository does not have ${name}`)
    const target = join(shop, 'node_modules', name)
    mkdirSync(dirname(target), { recursive: true })
    symlinkSync(source, target)
  }
}

/** Writes blocks into the files that they name in their first line, under another ending. */
export function writeFiles(shop: string, blocks: readonly string[], ending = 'js'): void {
  for (const code of blocks) {
    const [, name] = /^\/\/ ([\w-]+)\.js\n/.exec(code) ?? []
    if (name === undefined) throw new Error(`a block does not name its file: ${code}`)
    writeFileSync(join(shop, `${name}.${ending}`), code)
  }
}

/** A copy of a project. */
export function copyProject(shop: string, name: string): string {
  const copy = join(dirname(shop), name)
  cpSync(shop, copy, { recursive: true, verbatimSymlinks: true })
  return copy
}

export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, 'localhost')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  return port
}

/** Starts the server of a project; resolves when it answers. */
export async function startServer(t: Test, shop: string, file: string, port: number) {
  const child = spawn('env', ['-u', 'NODE_OPTIONS', process.execPath, file], { cwd: shop })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  const exited = once(child, 'exit')
  t.teardown(() => {
    child.kill()
    return exited
  })
  const deadline = Date.now() + deadlineMs
  const isReady = () =>
    fetch(`http://localhost:${port}/livez`).then(
      ({ status }) => status === 200,
      () => false,
    )
  while (!(await isReady())) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`not ready: ${output}`)
    await sleep(50)
  }
}
