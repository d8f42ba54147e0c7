import { text } from 'node:stream/consumers'
import { styleText } from 'node:util'
import { createVerifier, openKeyring } from '@latchkey/verify'
import type { Command } from 'commander'
import { describeClaim, describeHeaderMember } from './describe.ts'
import { escapeControls } from './escape.ts'

interface InspectOptions {
  keys?: string
  issuer?: string
  audience?: string
}

/** `latchkey inspect <token>` */
export function addInspect(program: Command): void {
  program
    .command('inspect')
    .description('print the content of a token and, with --keys, whether it is valid')
    .argument('<token>', 'an access token; - reads it from standard input')
    .option('-k, --keys <file>', 'key file to verify the signature with')
    .option('-i, --issuer <issuer>', 'issuer that the token must name')
    .option('-a, --audience <audience>', 'audience that the token must name')
    .addHelpText(
      'after',
      '\nExit code 0: the token is valid or, without --keys, well-formed. 1: it is neither.',
    )
    .action(async (argument: string, options: InspectOptions) => {
      const token = (argument === '-' ? await text(process.stdin) : argument).trim()
      process.stdout.write(`${formatToken(token)}\n`)
      const { isValid, message } = checkToken(token, options)
      const painted = styleText(isValid ? 'green' : 'red', message, { stream: process.stdout })
      process.stdout.write(`${options.keys === undefined ? message : painted}\n`)
      if (!isValid) process.exitCode = 1
    })
}

/** The three parts of a token, with the meaning of every member. */
function formatToken(token: string): string {
  if (token.startsWith('lkr_')) {
    return 'This is a refresh token. It is opaque: only the auth service can read it.\n'
  }
  const [header, claims, signature] = token.split('.')
  return [
    formatPart('Header', header, describeHeaderMember),
    formatPart('Claims', claims, describeClaim),
    `${bold('Signature')}\n  ${signature ? `${signature.length} characters` : 'none'}\n`,
  ].join('\n')
}

type Describe = (name: string, value: unknown) => string

function formatPart(title: string, segment: string | undefined, describe: Describe): string {
  const members = decode(segment)
  if (members === undefined) return `${bold(title)}\n  not a JSON object in base64url\n`
  const width = Math.max(...Object.keys(members).map((member) => formatName(member).length), 0)
  const lines = Object.entries(members).map(([member, value]) => {
    const line = `  ${formatName(member).padEnd(width)}  ${toSafeJson(value)}`
    const meaning = describe(member, value)
    return meaning ? `${line}\n  ${' '.repeat(width)}  ${dim(meaning)}` : line
  })
  return `${bold(title)}\n${lines.join('\n')}\n`
}

/** JSON that no terminal interprets. JSON itself does not escape every control. */
const toSafeJson = (value: unknown): string => escapeControls(JSON.stringify(value))

/** A member's name, escaped, without its quotes. */
const formatName = (member: string): string => toSafeJson(member).slice(1, -1)

const bold = (words: string) => styleText('bold', words, { stream: process.stdout })
const dim = (words: string) => styleText('dim', words, { stream: process.stdout })

/** Decodes leniently: this is for display, not for verification. */
function decode(segment = ''): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString())
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function checkToken(
  token: string,
  { keys, issuer, audience }: InspectOptions,
): { isValid: boolean; message: string } {
  if (keys === undefined) {
    const [header, claims] = token.split('.')
    const isReadable = token.startsWith('lkr_') || (decode(header) && decode(claims)) !== undefined
    if (!isReadable) return { isValid: false, message: 'This is not a token.' }
    return { isValid: true, message: 'Not verified: pass the key file with --keys to verify it.' }
  }
  const claimed = decode(token.split('.')[1])?.iss
  const keyring = openKeyring(keys)
  const verifier = createVerifier({
    keys: keyring,
    issuer: issuer ?? (typeof claimed === 'string' && claimed !== '' ? claimed : 'none'),
    audience: audience ?? false,
  })
  const result = verifier.check(token)
  keyring.close()
  if (!result.ok) {
    return { isValid: false, message: `Refused (${result.error.code}): ${result.error.message}` }
  }
  const unchecked = [
    ...(issuer === undefined ? ['--issuer'] : []),
    ...(audience === undefined ? ['--audience'] : []),
  ]
  const hint = unchecked.length > 0 ? ` To check these too, pass ${unchecked.join(' and ')}.` : ''
  return { isValid: true, message: `The signature and the claims are valid.${hint}` }
}
