import { execFileSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t from 'tap'
import { readCommands } from '../../tools/test-kit/src/guide.ts'

const root = resolve(import.meta.dirname, '../..')
const read = (file: string) => readFileSync(join(root, file), 'utf8')

/** A test that runs the commands below a heading of a guide, or why none does. */
// biome-ignore format: a table
const runners: Record<string, Record<string, string>> = {
  'add-a-service': {},
  'backup-and-restore': {
    '`npm start`': 'tools/cluster/test/backup.test.ts',
    'Docker Compose': 'k8s/test/backup.test.ts',
    'Kubernetes, `dev` overlay': 'k8s/test/backup.test.ts',
    'Kubernetes with CloudNativePG': 'needs a cluster; the patch is checked in k8s/test/backup.test.ts',
  },
  'compose': {},
  'kubernetes': {
    'Cluster and ingress controller': 'needs kind and the network',
    'Images': 'k8s/test/images.test.ts',
    'Secrets': 'k8s/test/guide.ts',
    'Install': 'needs a cluster; k8s/test/start.test.ts starts what the manifests describe',
    'Log in': 'needs a cluster; k8s/test/start.test.ts logs in',
    'Rotate the keys': 'needs a cluster; the tests of services/auth rotate keys',
    'Production': 'needs a cluster and the network',
  },
  'migrate-to-latchkey-verify': {},
  'upgrade': {
    'Docker Compose': 'needs a release; ops/compose/test/compose.test.ts starts the project',
    'Kubernetes': 'needs a cluster; the commands are those of the guide for Kubernetes',
  },
}

const guides = globSync('docs/guides/*.md', { cwd: root }).sort()
const headings = (page: string) =>
  [...read(page).matchAll(/^## (.+)$/gm)].map(([, one = '']) => one)

t.test(
  'commands of guides are valid shell, and a test runs them or a reason is given',
  async (t) => {
    for (const page of guides) {
      const [name = ''] = /[\w-]+(?=\.md$)/.exec(page) ?? []
      for (const command of readCommands(page)) {
        const input = command.replaceAll(/<[\w -]+>/g, 'placeholder')
        t.doesNotThrow(() => execFileSync('bash', ['-n'], { input }), `${page}: ${command}`)
      }
      const withCommands = headings(page).filter((one) => readCommands(page, one).length > 0)
      // Guides with an empty entry have tests of their own.
      const known = runners[name] ?? {}
      if (name in runners && Object.keys(known).length === 0) continue
      t.strictSame(withCommands.sort(), Object.keys(known).sort(), page)
      for (const [heading, runner] of Object.entries(known)) {
        if (/^\w+\/\S+\.ts$/.test(runner)) t.ok(existsSync(join(root, runner)), heading)
      }
    }
  },
)

const sources = globSync('{packages,services}/*/src/**/*.ts', { cwd: root }).map(read).join('\n')
const page = 'docs/guides/troubleshooting.md'
const metrics = read('docs/metrics.md')
const codes = read('docs/errors.md')

/** Texts in the first column of the guide that no source of Latchkey contains. */
const foreign = [
  ...['field is immutable', 'CreateContainerConfigError', 'ContainerCreating'],
  ...['ENOTFOUND', 'EAI_AGAIN', 'listen EAFNOSUPPORT', 'to-dns'],
]

t.test('troubleshooting quotes texts, codes and metrics that exist', async (t) => {
  const cells = [...read(page).matchAll(/^\| ([^|]+) \|/gm)].map(([, cell = '']) => cell)
  const quoted = cells.flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].map(([, one = '']) => one),
  )
  t.ok(quoted.length > 30)
  for (const text of quoted.filter((one) => !foreign.includes(one))) {
    const isKnown = text
      .split(/ ?… ?/)
      .every((part) => [sources, metrics, codes].some((one) => one.includes(part)))
    t.ok(isKnown, text)
  }
})
