import { type Command, Option } from 'commander'

export const keysOption = () =>
  new Option('-k, --keys <file>', 'the key file').env('LATCHKEY_KEYS_FILE')

/** The options of a command that asks the auth service. */
export const addAuthOptions = (command: Command): Command =>
  command
    .addOption(new Option('-u, --auth <url>', 'URL of the auth service').env('LATCHKEY_AUTH_URL'))
    .addOption(new Option('-i, --issuer <issuer>', 'issuer of the tokens').env('LATCHKEY_ISSUER'))

export const databaseOption = () =>
  new Option(
    '-d, --database-url <url>',
    "URL of auth's database. Everyone on the machine can see arguments: rather set " +
      'LATCHKEY_DATABASE_URL, or LATCHKEY_DATABASE_URL_FILE to a file that contains it',
  )

/** The environment, in which an option replaces the settings of the database. */
export function withDatabaseUrl(url: string | undefined): NodeJS.ProcessEnv {
  if (url === undefined) return process.env
  return { ...process.env, LATCHKEY_DATABASE_URL: url, LATCHKEY_DATABASE_URL_FILE: undefined }
}

/** Exit code of a usage error in a command whose exit code 1 means that it found something. */
export const usageExitCode = 2

/** Ends with exit code 2 after a usage error; after `--help`, with 0. */
export const exitWithUsageCode = (command: Command): Command =>
  command.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : usageExitCode))
