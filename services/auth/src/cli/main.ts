#!/usr/bin/env node
import { Command } from 'commander'
import { addInspect } from './inspect.ts'
import { addKeys } from './keys.ts'

/** A mistake of the caller's: one sentence on standard error, exit code 1. */
const program = new Command('latchkey')
  .description('Keys and tokens of a Latchkey.')
  .showHelpAfterError('(latchkey --help shows what there is)')

addKeys(program)
addInspect(program)

try {
  await program.parseAsync()
} catch (err) {
  process.stderr.write(`latchkey: ${err instanceof Error ? err.message : String(err)}\n`)
  process.exitCode = 1
}
