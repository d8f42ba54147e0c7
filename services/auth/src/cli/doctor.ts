import type { Command } from 'commander'
import type { AuthClientOptions } from './auth-client.ts'
import { diagnose } from './diagnose.ts'
import { type Finding, isFault } from './doctor/finding.ts'
import { formatFindings } from './findings.ts'
import {
  addAuthOptions,
  databaseOption,
  exitWithUsageCode,
  keysOption,
  usageExitCode,
  withDatabaseUrl,
} from './options.ts'

type DoctorOptions = Partial<AuthClientOptions> & { databaseUrl?: string; json?: boolean }

const help = `
Checks the clocks, replication and connections of PostgreSQL, the schema, the keys of every
verifier, the connection to auth, and the settings of auth where they are in the environment, as in
its container. It changes nothing. A part that cannot be reached is a finding; the others are checked.

Levels: error (broken, or about to break), warning (works, with a risk), ok. The worst come first.
Exit code 0: no error and no warning. 1: at least one. 2: neither auth nor the database was reached,
or wrong usage.`

/** `latchkey doctor` */
export function addDoctor(program: Command): void {
  const command = exitWithUsageCode(program.command('doctor')).addOption(keysOption())
  addAuthOptions(command)
    .description('check an installation, and print what is wrong and what to do')
    .addOption(databaseOption())
    .option('--json', 'print JSON: { "findings": [{ "level", "code", "text" }] }')
    .addHelpText('after', help)
    .action(async ({ databaseUrl, json, ...options }: DoctorOptions) => {
      const { findings, isReached } = await diagnose(options, withDatabaseUrl(databaseUrl))
      const text = json ? `${JSON.stringify({ findings }, null, 2)}\n` : formatFindings(findings)
      process.stdout.write(text)
      process.exitCode = exitCodeOf(findings, isReached)
    })
}

export const exitCodeOf = (findings: readonly Finding[], isReached: boolean): number =>
  isReached ? Number(findings.some(isFault)) : usageExitCode
