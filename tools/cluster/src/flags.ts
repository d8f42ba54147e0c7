import { parseArgs } from 'node:util'
import { hasCode, UsageError } from './errors/cluster-error.ts'

/** What `npm start -- …` was told. */
export interface Flags {
  readonly port: number
  readonly instances: number
  readonly ephemeral: boolean
  readonly databaseUrl: string | undefined
  readonly dataFolder: string | undefined
  readonly help: boolean
}

/** What `--help` prints. */
export const help = `Starts Latchkey on this machine: Postgres, several instances of every service, and the edge.

Usage: npm start -- [flags]

  --port <number>         port of the edge on localhost (default 8080; 0 takes any free one)
  --instances <number>    instances of each service, 1 to 10 (default 2)
  --ephemeral             start fresh in a temporary folder and remove it at the end
  --database-url <url>    use this Postgres server instead of the embedded one; the user in the
                          URL must be allowed to create databases and roles
  --data-folder <path>    where everything is kept (default .latchkey)
  --help                  print this

Ctrl-C stops everything; what was stored is there again at the next start.`

/**
 * Reads the command line.
 *
 * @throws UsageError naming the first mistake
 */
export function parseFlags(argv: readonly string[]): Flags {
  const { values } = parse(argv)
  const databaseUrl = values['database-url']
  if (databaseUrl !== undefined && !/^postgres(ql)?:\/\//.test(databaseUrl)) {
    throw new UsageError(
      '--database-url must look like postgres://user:password@host:5432/postgres.',
    )
  }
  if (values.ephemeral && values['data-folder'] !== undefined) {
    throw new UsageError('--ephemeral makes its own folder, so it cannot go with --data-folder.')
  }
  return {
    port: integer('--port', values.port, 0, 65_535),
    instances: integer('--instances', values.instances, 1, 10),
    ephemeral: values.ephemeral,
    databaseUrl,
    dataFolder: values['data-folder'],
    help: values.help,
  }
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        port: { type: 'string', default: '8080' },
        instances: { type: 'string', default: '2' },
        ephemeral: { type: 'boolean', default: false },
        'database-url': { type: 'string' },
        'data-folder': { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    })
  } catch (err) {
    if (
      !hasCode(
        err,
        'ERR_PARSE_ARGS_UNKNOWN_OPTION',
        'ERR_PARSE_ARGS_INVALID_OPTION_VALUE',
        'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL',
      )
    )
      throw err
    const [what] = (err as Error).message.split(/\. |\n/)
    throw new UsageError(`${what?.replace(/\.$/, '')}; --help lists the flags.`)
  }
}

function integer(flag: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text)
  if (/^\d{1,5}$/.test(text) && value >= minimum && value <= maximum) return value
  throw new UsageError(`${flag} must be a whole number from ${minimum} to ${maximum}.`)
}
