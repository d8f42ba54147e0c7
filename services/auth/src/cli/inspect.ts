import { text } from 'node:stream/consumers'
import { styleText } from 'node:util'
import { createVerifier, openKeyring } from '@latchkey/verify'
import type { Command } from 'commander'
import { describeClaim, describeHeaderMember } from './describe.ts'

interface InspectOptions {
  keys?: string
  issuer?: string
  audience?: string
}

/** `latchkey inspect <token>` */
export function addInspect(program: Command): void {
  program
    .command('inspect')
    .description('show what a token says and, given the keys, whether it holds')
    .argument('<token>', 'an access token; - reads it from standard input')
    .option('-k, --keys <file>', 'keyring file to check the signature with')
    .option('-i, --issuer <issuer>', 'issuer the token has to name')
    .option('-a, --audience <audience>', 'audience the token has to name')
    .addHelpText(
      'after',
      '\nExit code 0: shown, and it holds where keys were given. 1: it does not.',
    )
    .action(async (argument: string, options: InspectOptions) => {
      const token = (argument === '-' ? await text(process.stdin) : argument).trim()
      process.stdout.write(`${show(token)}\n`)
      const { holds, sentence } = judge(token, options)
      const paint = styleText(holds ? 'green' : 'red', sentence, { stream: process.stdout })
      process.stdout.write(`${options.keys === undefined ? sentence : paint}\n`)
      if (!holds) process.exitCode = 1
    })
}

/** The three parts of a token, every member with what it means. */
function show(token: string): string {
  if (token.startsWith('lkr_')) {
    return 'This is a refresh token: it is opaque, and only the auth service can read it.\n'
  }
  const [header, claims, signature] = token.split('.')
  return [
    part('Header', header, describeHeaderMember),
    part('Claims', claims, describeClaim),
    `${title('Signature')}\n  ${signature ? `${signature.length} characters` : 'none'}\n`,
  ].join('\n')
}

type Describe = (name: string, value: unknown) => string

function part(name: string, segment: string | undefined, describe: Describe): string {
  const members = decode(segment)
  if (members === undefined) return `${title(name)}\n  not a JSON object in base64url\n`
  const width = Math.max(...Object.keys(members).map((member) => nameOf(member).length), 0)
  const lines = Object.entries(members).map(([member, value]) => {
    const shown = `  ${nameOf(member).padEnd(width)}  ${toSafeJson(value)}`
    const meaning = describe(member, value)
    return meaning ? `${shown}\n  ${' '.repeat(width)}  ${dim(meaning)}` : shown
  })
  return `${title(name)}\n${lines.join('\n')}\n`
}

/**
 * A value as JSON that a terminal shows and does not obey: JSON itself leaves DEL, the C1 controls and the
 * marks that turn the direction of writing around as they are.
 */
const toSafeJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
    character
      .split('')
      .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
      .join(''),
  )

/** A member's name, escaped, without its quotes. */
const nameOf = (member: string): string => toSafeJson(member).slice(1, -1)

const title = (name: string) => styleText('bold', name, { stream: process.stdout })
const dim = (words: string) => styleText('dim', words, { stream: process.stdout })

/** Decoded as leniently as can be: this shows, it does not judge. */
function decode(segment = ''): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(segment, 'base64url').toString())
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

function judge(token: string, options: InspectOptions): { holds: boolean; sentence: string } {
  const { keys, issuer, audience } = options
  if (keys === undefined) {
    return {
      holds: true,
      sentence: 'Not verified: give the keyring with --keys to have it checked.',
    }
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
    return { holds: false, sentence: `Refused (${result.error.code}): ${result.error.message}` }
  }
  const unchecked = [issuer ?? '--issuer', audience ?? '--audience'].filter((o) =>
    o.startsWith('--'),
  )
  const rest = unchecked.length > 0 ? ` Not compared: give ${unchecked.join(' and ')}.` : ''
  return { holds: true, sentence: `The signature and the claims hold.${rest}` }
}
