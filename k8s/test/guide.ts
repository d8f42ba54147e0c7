import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import { programFile, unpackKubectl } from './kubectl.ts'

const root = join(import.meta.dirname, '../..')
export const guide = readFileSync(join(root, 'docs/guides/kubernetes.md'), 'utf8')

/** A Secret as the guide's commands make it: its entries, decoded. */
export type MadeSecret = Readonly<Record<string, string>>

/** Everything that the guide has one paste, below a heading or in all. */
export function commands(heading?: string): string {
  const [, section = ''] = heading ? guide.split(`\n## ${heading}\n`) : ['', guide]
  const text = heading ? (section.split('\n## ')[0] ?? '') : section
  return [...text.matchAll(/^```sh\n([\s\S]*?)^```$/gm)].map(([, block]) => block).join('')
}

/**
 * Pastes the commands of "Secrets" into a shell, in which `kubectl create` prints what it would send
 * (`--dry-run=client`) and nothing is sent.
 *
 * @returns the Secrets, by name
 */
export async function makeSecrets(): Promise<Map<string, MadeSecret>> {
  await unpackKubectl()
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-guide-'))
  try {
    const made = join(folder, 'made.yaml')
    mkdirSync(join(folder, 'bin'))
    writeFileSync(join(folder, 'bin/kubectl'), pretendKubectl(made), { mode: 0o755 })
    const pasted = commands('Secrets')
      .replace(/^npx .* install .*$/m, '')
      .replaceAll(/(?<=[ =])\.latchkey/g, join(folder, 'latchkey'))
    execFileSync('bash', ['-euo', 'pipefail', '-c', pasted], {
      cwd: root,
      env: { ...process.env, PATH: [join(folder, 'bin'), process.env.PATH].join(delimiter) },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const documents = parseAllDocuments(readFileSync(made, 'utf8'))
    const secrets = documents.map((document) => document.toJS()).filter(Boolean)
    return new Map(secrets.map(({ metadata, data }) => [metadata.name, decoded(data)]))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const pretendKubectl = (made: string) => `#!/bin/bash
case "$*" in
  *'create secret'*) '${programFile}' "$@" --dry-run=client --output=yaml | tee -a '${made}'; echo --- >> '${made}' ;;
  *'--filename -') cat > /dev/null ;;
esac
`

const decoded = (data: Record<string, string>): MadeSecret =>
  Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )
