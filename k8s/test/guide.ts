import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readCommands } from '@latchkey/test-kit/guide'
import { execaSync } from 'execa'
import { parseAllDocuments } from 'yaml'
import { program } from './kubectl.ts'
import { read, root } from './objects.ts'

const page = 'docs/guides/kubernetes.md'
export const guide = read(page)

/** The shell commands of the guide, below one heading or all. */
export const commands = (heading?: string) => readCommands(page, heading).join('')

/**
 * Runs the commands of the section "Secrets". `kubectl create secret` prints what it would send,
 * and nothing is sent.
 *
 * @returns the decoded entries of the Secrets, by name
 */
export function createSecrets(): Map<string, Record<string, string>> {
  const folder = mkdtempSync(join(tmpdir(), 'latchkey-guide-'))
  const created = join(folder, 'created.yaml')
  const fakeKubectl = `kubectl() {
    case "$*" in
      *'create secret'*) '${program}' "$@" --dry-run=client --output=yaml | tee -a '${created}'; echo --- >> '${created}' ;;
      *'--filename -') cat > /dev/null ;;
    esac
  }\n`
  const script = commands('Secrets')
    .replace(/^npx .* install .*$/m, '')
    .replaceAll(/(?<=[ =])\.latchkey/g, join(folder, 'latchkey'))
  try {
    execaSync('bash', ['-euo', 'pipefail', '-c', fakeKubectl + script], { cwd: root })
    const secrets = parseAllDocuments(readFileSync(created, 'utf8')).map((one) => one.toJS())
    return new Map(
      secrets.filter(Boolean).map(({ metadata, data }) => [metadata.name, decode(data)]),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const decode = (data: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(data).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]),
  )
