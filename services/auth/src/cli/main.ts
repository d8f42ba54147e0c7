#!/usr/bin/env node
import { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { addClients } from './clients.ts'
import { addDoctor } from './doctor.ts'
import { addInspect } from './inspect.ts'
import { addKeys } from './keys.ts'
import { addRecover } from './recover.ts'
import { addUsers } from './users.ts'

const program = new Command('latchkey')
  .description(
    'Manage the keys, users and clients of Latchkey, inspect tokens, check an installation, recover.',
  )
  .version(manifest.version)
  .showHelpAfterError('(add --help for usage)')

addKeys(program)
addUsers(program)
addClients(program)
addInspect(program)
addDoctor(program)
addRecover(program)

// A failure is one sentence on standard error and exit code 1, without a stack trace.
try {
  await program.parseAsync()
} catch (err) {
  process.stderr.write(`latchkey: ${err instanceof Error ? err.message : String(err)}\n`)
  process.exitCode = 1
}
