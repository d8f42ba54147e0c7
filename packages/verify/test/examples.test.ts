import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'

const folder = resolve(import.meta.dirname, '..')
const tsc = resolve(folder, '../../node_modules/.bin/tsc')
const read = (path: string) => readFileSync(join(folder, path), 'utf8')
const readSources = (path: string) =>
  readdirSync(join(folder, path), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => read(`${path}/${file}`))
const sources = readSources('src')
const others = readSources('../web/src')

/** What the text around an example defines. */
const context = `
import type { FeedSettings, Keyring, Verifier } from '@latchkey/verify'
import type latchkeyPlugin from '@latchkey/verify/fastify'
import type jwtPlugin from '@fastify/jwt'
import type { FastifyInstance, FastifyPluginAsync } from 'fastify'
declare global {
  const app: FastifyInstance, swaggerUi: FastifyPluginAsync<{ routePrefix: string }>
  const latchkey: typeof latchkeyPlugin, jwt: typeof jwtPlugin
  const issuer: string, token: string, secret: string, keys: Keyring, verifier: Verifier
  const options: {
    keys: { file: string }; issuer: string; audience: string; revocations: FeedSettings
  }
  const claims: object, listReports: () => Promise<object[]>
  const listOrders: (...given: unknown[]) => Promise<object[]>
  const deleteOrder: () => Promise<void>
}`

/** The ts blocks of Markdown or of doc comments, whose lines begin with an asterisk. */
function extractExamples(text: string): string[] {
  const lines = text.replace(/^ *\* ?(?!\/)/gm, '')
  return [...lines.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code)
}

/** The names of types and values that a module declares, lists, or passes on with a star. */
function listExports(path: string): string[] {
  const text = read(`src/${path}`)
  const declared = /^export (?:async )?(?:const|function|class|interface|type) (\w+)/gm
  const lists = text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)
  const stars = text.matchAll(/^export \* from '\.\/(.*)'/gm)
  return [
    ...[...text.matchAll(declared)].map(([, name = '']) => name),
    ...[...lists].flatMap(([, names = '']) => names.match(/\w+(?=\s*(?:,|$))/g) ?? []),
    ...[...stars].flatMap(([, source = '']) => listExports(source)),
  ]
}

/** Compiles each example as a module, and returns the errors. */
function compile(examples: string[]): string {
  mkdirSync(join(folder, 'node_modules/.cache'), { recursive: true })
  const out = mkdtempSync(join(folder, 'node_modules/.cache/examples-'))
  const src = join(folder, 'src')
  const paths = {
    '@latchkey/verify': [`${src}/index.ts`],
    '@latchkey/verify/*': [`${src}/*.ts`],
    '@latchkey/web': [resolve(folder, '../web/src/index.ts')],
  }
  const config = {
    extends: resolve(folder, '../../tsconfig.base.json'),
    compilerOptions: { noEmit: true, paths },
  }
  try {
    writeFileSync(join(out, 'tsconfig.json'), JSON.stringify(config))
    for (const [i, code] of [context, ...examples].entries()) {
      writeFileSync(join(out, `${i}.ts`), `${code}\nexport {}\n`)
    }
    // tap adds a loader to NODE_OPTIONS of every child process, with which tsc does not start.
    const command = ['-u', 'NODE_OPTIONS', tsc, '-p', out]
    const { status, stdout, stderr } = spawnSync('env', command, { encoding: 'utf8' })
    return status === 0 ? '' : `${stdout}${stderr}`
  } finally {
    rmSync(out, { recursive: true })
  }
}

const pages = [
  'README.md',
  '../web/README.md',
  '../../README.md',
  '../../docs/guides/migrate-to-latchkey-verify.md',
  '../../docs/guides/web-app.md',
]

t.test('every example in a doc comment, a README or the guide to move compiles', async (t) => {
  const examples = [...sources, ...others, ...pages.map(read)].flatMap(extractExamples)
  t.ok(examples.length > 20, `${examples.length} examples`)
  t.equal(compile(examples), '')
})

t.test('an example with a wrong argument or name does not compile', async (t) => {
  t.match(compile(['verifier.verify(1)']), /TS2345/)
  t.match(compile(["import { createVerifer } from '@latchkey/verify'"]), /TS2724/)
})

t.test('every export of every entry point has an example that uses it', async (t) => {
  const text = sources.join('\n')
  const count = (pattern: string) => [...text.matchAll(new RegExp(pattern, 'gm'))].length
  for (const entry of ['index', 'fastify', 'express', 'fetch', 'testing']) {
    const names = new Set(listExports(`${entry}.ts`))
    const values = Object.keys(await import(`../src/${entry}.ts`))
    for (const name of values) t.ok(name === 'default' || names.has(name), `lists ${name}`)
    for (const name of names) {
      // Two entry points may declare the same name: each declaration needs its own example.
      const declaration = `^export (?:async )?(?:const|function|class|interface|type) ${name}\\b`
      const inComment = String.raw`(?:(?!\*/)[^])*`
      const uses = String.raw`${inComment}\b${name}\b${inComment}\*/\n(?://.*\n)?`
      const example = `@example\n \\* \`\`\`ts\n${uses}`
      t.not(count(declaration), 0)
      t.equal(count(example + declaration), count(declaration), `${entry}: ${name}`)
    }
  }
})
