/**
 * Writes `src/keys/published-secrets.ts` from lists of published secrets, one a line:
 * `npm run published-secrets <file> …`. It also reads `sample-secrets.txt`.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hashPublished } from '../src/keys/published-hash.ts'

const out = join(import.meta.dirname, '../src/keys/published-secrets.ts')
const head = `/**
 * Hashes of published secrets of 32 bytes and more. Sources:
 * github.com/wallarm/jwt-secrets (MIT), \`jwt-common.txt\` of github.com/ticarpi/jwt_tool, the
 * examples of RFC 7515, RFC 7520 and jwt.io, and the sample settings of Supabase, PostgREST and
 * Spring tutorials. Written by \`scripts/published-secrets.ts\`.
 */
import { hashPublished } from './published-hash.ts'

const HASHES = \`
`
const tail = `
let known: ReadonlySet<string> | undefined

/** Whether text is a published secret, regardless of case and of base64's alphabet and padding. */
export function isPublishedSecret(text: string): boolean {
  known ??= new Set(HASHES.replaceAll('\\n', '').match(/.{7}/g))
  return known.has(hashPublished(text))
}
`

const files = [join(import.meta.dirname, 'sample-secrets.txt'), ...process.argv.slice(2)]
const secrets = files
  .flatMap((file) => readFileSync(file, 'latin1').split(/\r?\n/))
  .map((line) => line.trim())
  .filter((secret) => secret.length >= 32)
// Decoders such as Buffer.from(text, 'base64') accept text that is not what they would encode.
const decoded = secrets
  .filter((secret) => /^[\w+/-]+=*$/.test(secret))
  .map((secret) => Buffer.from(secret, 'base64'))
  .filter((bytes) => bytes.length >= 32)
  .map((bytes) => bytes.toString('base64url'))
const hashes = [...new Set([...secrets, ...decoded].map(hashPublished))].sort()
const lines = hashes.join('').match(/.{1,98}/g) ?? []
writeFileSync(out, `${head}${lines.join('\n')}\n\`\n${tail}`)
