import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { dirname, join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Plugin } from 'esbuild'
import { type ServiceName, serviceNames } from './services/services.ts'

const root = resolve(import.meta.dirname, '../../..')
/** What the bundles were made of. */
const record = join(root, 'tools/cluster/dist/bundles.json')

/** In a folder beside `src`, so that paths relative to a module's own stay right. */
const programOf = (service: ServiceName) => join(root, 'services', service, 'dist/instance.js')

/** Loaded from where they are installed: they have native code, files of their own, or are rarely wanted. */
const leftOut =
  /^(@node-rs\/argon2|@fastify\/swagger-ui|@fastify\/otel|@opentelemetry\/(exporter|instrumentation|resources|sdk).*)$/

/** CommonJS modules in the bundle look for `require` and their own place. */
const commonJs = [
  "import { createRequire as __createRequire } from 'node:module'",
  'const require = __createRequire(import.meta.url)',
  'const { filename: __filename, dirname: __dirname } = import.meta',
].join('\n')

type Programs = Readonly<Record<ServiceName, string>>
let bundling: Promise<Programs> | undefined

/**
 * Puts each service and the packages it uses into one file, of which it loads in a third of the time and with 15 MB
 * less than of a thousand: where nine instances start at once on two processors, that is most of the start.
 *
 * Made anew when a source or the installation has changed since the last time; looked at once in a process.
 *
 * @returns for each service the path of a program that loads it at once, and runs it when it gets its settings
 */
export function bundleServices(): Promise<Programs> {
  bundling ??= isCurrent()
    .then((current) => (current ? undefined : bundleAll()))
    .then(() => Object.fromEntries(serviceNames.map((name) => [name, programOf(name)])) as Programs)
  return bundling
}

async function isCurrent(): Promise<boolean> {
  try {
    const stamps: Record<string, string> = JSON.parse(await readFile(record, 'utf8'))
    const now = await stampsOf(Object.keys(stamps))
    return Object.entries(stamps).every(([path, stamp]) => now[path] === stamp)
  } catch {
    return false
  }
}

/** For each file what tells one state of it from another. */
async function stampsOf(paths: readonly string[]): Promise<Record<string, string>> {
  const stamps = paths.map(async (path) => {
    const { mtimeMs, size } = await stat(join(root, path))
    return [path, `${mtimeMs} ${size}`] as const
  })
  return Object.fromEntries(await Promise.all(stamps))
}

async function bundleAll(): Promise<void> {
  const { build, stop } = await import('esbuild')
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: serviceNames.map((service) => ({
      in: service,
      out: programOf(service).slice(0, -3),
    })),
    outdir: root,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    external: ['pg-native'],
    banner: { js: commonJs },
    plugins: [programs, loadedAsInstalled],
    logLevel: 'silent',
  }).finally(stop)
  // Installed packages do not change one by one.
  const sources = Object.keys(metafile.inputs).filter(
    (path) => !/^program:|node_modules/.test(path),
  )
  for (const { path, text } of outputFiles) await replace(path, text)
  const others = [
    import.meta.filename,
    join(root, 'pnpm-lock.yaml'),
    ...outputFiles.map(({ path }) => path),
  ]
  const files = [...sources, ...others.map((path) => relative(root, path))]
  await replace(record, JSON.stringify(await stampsOf(files)))
}

/** What an instance runs. */
const programs: Plugin = {
  name: 'programs',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\w+$/ }, ({ path, kind }) =>
      kind === 'entry-point' ? { path, namespace: 'program' } : undefined,
    )
    onLoad({ filter: /./, namespace: 'program' }, ({ path: service }) => ({
      contents: [
        `import { receiveSettings } from ${JSON.stringify(join(import.meta.dirname, 'instance.ts'))}`,
        "import './app.ts'",
        'await receiveSettings()',
        "await import('./main.ts')",
      ].join('\n'),
      resolveDir: join(root, 'services', service, 'src'),
    }))
  },
}

const loadedAsInstalled: Plugin = {
  name: 'loaded as installed',
  setup({ onResolve, resolve: find }) {
    onResolve({ filter: leftOut }, async ({ path, kind, importer, resolveDir, pluginData }) => {
      if (pluginData === 'found') return undefined
      const found = await find(path, { kind, importer, resolveDir, pluginData: 'found' })
      if (found.errors.length > 0) return { errors: found.errors }
      const isRequired = kind === 'require-call'
      return { path: isRequired ? found.path : pathToFileURL(found.path).href, external: true }
    })
  },
}

/** In one step, as another cluster may be starting from it. */
async function replace(file: string, text: string): Promise<void> {
  const draft = `${file}.${process.pid}`
  await mkdir(dirname(file), { recursive: true })
  await writeFile(draft, text)
  await rename(draft, file)
}
