import { type CommandDatabase, connectDatabase, type Queryable } from '@latchkey/service-kit'
import { type Command, InvalidArgumentError } from 'commander'
import { findEmails } from '../accounts/store.ts'
import { listRecoveries } from '../revocation/recoveries-store.ts'
import { findNewestRevocation } from '../revocation/store.ts'
import { listAuthInstances } from '../verifiers/store.ts'
import { isFault } from './doctor/finding.ts'
import { readServer } from './doctor/server-store.ts'
import { databaseOption, exitWithUsageCode, usageExitCode, withDatabaseUrl } from './options.ts'
import { assess } from './recover/assess.ts'
import { confirmOnTerminal, endSessions } from './recover/end-sessions.ts'
import { formatReport, type Report, toJson } from './recovery-report.ts'

interface RecoverOptions {
  databaseUrl?: string
  since: number
  json?: boolean
  endSessions?: boolean
  yes?: boolean
}

const help = `
After PostgreSQL failed over or was restored, prints what auth instances have restored since, and what
only you can restore. Auth instances remember the revocations of the last hour, and write those that
the database lacks; an instance that started later, or was stopped, cannot.

Exit code 0: nothing was lost, or everything was restored. 1: you have to act. 2: could not find
out, or wrong usage. With --end-sessions, 0: all open sessions were ended. 2: they were not.`

/** `latchkey recover` */
export function addRecover(program: Command): void {
  exitWithUsageCode(program.command('recover'))
    .description('print what a failover or a restore of PostgreSQL lost, and end all sessions')
    .addOption(databaseOption())
    .option('-s, --since <hours>', 'how far to look back, in hours', parseHours, 24)
    .option('--json', 'print JSON')
    .option('--end-sessions', 'end all open sessions: every user has to log in again')
    .option('-y, --yes', 'do not ask before --end-sessions')
    .addHelpText('after', help)
    .action(async (options: RecoverOptions) => {
      let db: CommandDatabase | undefined
      try {
        db = await connectDatabase(withDatabaseUrl(options.databaseUrl))
        process.exitCode = await (options.endSessions ? end(db, options) : report(db, options))
      } catch (err) {
        process.stderr.write(`latchkey: ${describeError(err)}\n`)
        process.exitCode = usageExitCode
      } finally {
        await db?.close()
      }
    })
}

function parseHours(text: string): number {
  const hours = Number(text)
  if (hours > 0 && hours <= 8_760) return hours
  throw new InvalidArgumentError('It must be a number of hours, at most 8760.')
}

async function end(db: Queryable, { yes, json }: RecoverOptions): Promise<number> {
  const ended = await endSessions(db, yes ? async () => {} : confirmOnTerminal)
  const text = `Ended ${ended} sessions, and revoked their tokens. Every user has to log in again.`
  process.stdout.write(`${json ? JSON.stringify({ ended_sessions: ended }) : text}\n`)
  return 0
}

async function report(db: Queryable, { since, json }: RecoverOptions): Promise<number> {
  const found = await readReport(db, since)
  const text = json ? `${JSON.stringify(toJson(found), null, 2)}\n` : formatReport(found)
  process.stdout.write(text)
  return Number(found.findings.some(isFault))
}

async function readReport(db: Queryable, sinceHours: number): Promise<Report> {
  const server = await readServer(db)
  // A standby cannot read the table, which is unlogged.
  const instances = server.isInRecovery ? [] : await listAuthInstances(db)
  const recoveries = await listRecoveries(db, sinceHours)
  const ids = [...new Set(recoveries.flatMap(({ userIds }) => userIds))]
  const emails = await findEmails(db, ids)
  return {
    server,
    newestRevocation: await findNewestRevocation(db),
    instances,
    sinceHours,
    recoveries,
    users: ids.map((id) => ({ id, email: emails.get(id) })),
    findings: assess({ server, instances, recoveries, sinceHours }),
  }
}

function describeError(err: unknown): string {
  const { code = '', message } = err as Error & { code?: string }
  // An unknown table or column: the backup is of an older release.
  const isOld = /^42(P01|703)$/.test(code)
  return isOld ? `the schema is of another release (${message}); run main.ts migrate` : message
}
