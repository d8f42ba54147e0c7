import { Command, InvalidArgumentError, Option } from 'commander'
import { type ClusterOptions, registrations } from './options.ts'
import { resourceServiceNames } from './services/services.ts'

export type Flags = Pick<
  ClusterOptions,
  | 'port'
  | 'host'
  | 'audiences'
  | 'registration'
  | 'instances'
  | 'ephemeral'
  | 'databaseUrl'
  | 'dataFolder'
>

const databaseHelp =
  'use this PostgreSQL server instead of the embedded one; its user needs CREATEDB and CREATEROLE'

/** Reads the command line. On a mistake or `--help`, prints and exits, with code 2 or 0. */
export function parseFlags(argv: readonly string[]): Flags {
  const instances = new Option('--instances <number>', 'instances of each service, 1 to 10')
  const ephemeral = new Option('--ephemeral', 'use a new temporary folder and remove it at the end')
  const audiences = new Option(
    '--audience <name>',
    'issue tokens for a service of your own too; repeatable',
  )
  const registration = new Option('--registration <mode>', 'who may create an account')
  const flags = new Command('npm start --')
    .description('Starts Latchkey on this machine: PostgreSQL, the services, and the edge.')
    .option('--port <number>', 'port of the edge; 0 picks a free one', integer(0, 65_535), 8080)
    .option('--host <address>', 'address to listen on; 0.0.0.0 lets other machines in', '127.0.0.1')
    .addOption(audiences.argParser(addAudiences).env('LATCHKEY_AUDIENCES'))
    .addOption(registration.choices(registrations).default('open'))
    .addOption(instances.argParser(integer(1, 10)).default(2))
    .addOption(ephemeral.conflicts('dataFolder'))
    .option('--database-url <url>', databaseHelp, databaseUrl)
    .option('--data-folder <path>', 'folder of all data (default: .latchkey)')
    .helpOption('-h, --help', 'print this help')
    .addHelpText('after', '\nCtrl-C stops everything. The data is kept for the next start.')
    .showHelpAfterError('(--help lists the flags)')
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
    .parse(argv, { from: 'user' })
    .opts<Omit<Flags, 'ephemeral'> & Partial<Flags> & { audience?: string[] }>()
  const { audience = [], ...others } = flags
  return { ephemeral: false, audiences: audience, ...others }
}

/** The variable may name several, separated by spaces, as auth reads it. */
function addAudiences(text: string, before: readonly string[] = []): readonly string[] {
  const names = text.split(' ').filter(Boolean)
  if (names.length > 0 && names.every((name) => /^[\w.:/-]+$/.test(name))) {
    return [...new Set([...before, ...names])].filter((name) => !isOwn(name))
  }
  throw new InvalidArgumentError('It must be a name or a URL, without quotes.')
}

const isOwn = (name: string) => resourceServiceNames.some((own) => own === name)

function integer(minimum: number, maximum: number) {
  return (text: string): number => {
    const value = Number(text)
    if (/^\d{1,5}$/.test(text) && value >= minimum && value <= maximum) return value
    throw new InvalidArgumentError(`It must be a whole number from ${minimum} to ${maximum}.`)
  }
}

function databaseUrl(text: string): string {
  if (/^postgres(ql)?:\/\//.test(text)) return text
  throw new InvalidArgumentError('It must look like postgres://user:password@host:5432/postgres.')
}
