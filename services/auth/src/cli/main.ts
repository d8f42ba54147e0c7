#!/usr/bin/env node
import { Command } from 'commander'
import { addInspect } from './inspect.ts'
import { addKeys } from './keys.ts'

const program = new Command('latchkey')
  .description('Manage Latchkey keys and inspect tokens.')
  .showHelpAfterError('(run latchkey --help for usage)')

addKeys(program)
addInspect(program)

// A user's mistake is one sentence on standard error and exit code 1, without a stack trace.
try {
  await program.parseAsync()
} catch (err) {
  process.stderr.write(`latchkey: ${err instanceof Error ? err.message : String(err)}\n`)
  process.exitCode = 1
}
