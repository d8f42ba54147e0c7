import { stat } from 'node:fs/promises'
import { type CommandDatabase, connectDatabase } from '@latchkey/service-kit'
import { readKeyFile } from '../keys/key-file.ts'
import { listLiveSigningKeys, listVerifiers } from '../verifiers/store.ts'
import type { AuthClientOptions } from './auth-client.ts'
import { checkClocks, clocksOf } from './doctor/clocks.ts'
import { checkDatabase } from './doctor/database.ts'
import { error, type Finding, messageOf, tryCheck, warning } from './doctor/finding.ts'
import { checkKeyFileMode, checkKeys } from './doctor/keys.ts'
import { checkAuth } from './doctor/proxies.ts'
import { checkSettings } from './doctor/settings.ts'
import { sortFindings } from './findings.ts'
import { fetchKeysStatus, type KeysStatus } from './keys-status.ts'

type Options = Partial<AuthClientOptions>

interface Diagnosis {
  /** The worst first. */
  findings: Finding[]
  /** Whether auth or the database answered. */
  isReached: boolean
}

/** Runs every check whose part can be reached. Never rejects for one that cannot. */
export async function diagnose(options: Options, env: NodeJS.ProcessEnv): Promise<Diagnosis> {
  const { auth, keys, issuer } = options
  const { db, ...connection } = await connect(env)
  try {
    const answer = auth === undefined ? undefined : await checkAuth(auth, issuer)
    const { status, ...request } = await findKeysStatus(options, db)
    const verifiers = status?.verifiers ?? []
    const database = db && (await checkDatabase(db, { env, verifiers }))
    const clocks = [database?.clock ?? answer?.clock, ...clocksOf(verifiers)]
    const findings = [
      ...connection.findings,
      ...(answer?.findings ?? [notGiven('auth', 'auth service', '--auth')]),
      ...request.findings,
      ...(database?.findings ?? []),
      ...checkClocks(clocks.filter((clock) => clock !== undefined)),
      ...(keys === undefined
        ? [notGiven('keys', 'key file', '--keys')]
        : await checkFile(keys, status)),
      ...(await tryCheck('settings', () => checkSettings(env))),
    ]
    const isReached = db !== undefined || answer?.isReached === true
    return { findings: sortFindings(findings), isReached }
  } finally {
    await db?.close()
  }
}

const notGiven = (code: string, part: string, option: string): Finding =>
  warning(`${code}_not_checked`, `The ${part} was not checked: pass ${option}.`)

async function connect(
  env: NodeJS.ProcessEnv,
): Promise<{ db?: CommandDatabase; findings: Finding[] }> {
  if (!env.LATCHKEY_DATABASE_URL && !env.LATCHKEY_DATABASE_URL_FILE) {
    return { findings: [notGiven('database', 'database', '--database-url')] }
  }
  try {
    return { db: await connectDatabase(env), findings: [] }
  } catch (err) {
    const text = `Check LATCHKEY_DATABASE_URL: ${messageOf(err)}.`
    return { findings: [error('database_unreachable', text)] }
  }
}

/** Asks auth or, where it does not answer, the database. */
async function findKeysStatus(
  { auth, keys, issuer }: Options,
  db: CommandDatabase | undefined,
): Promise<{ status?: KeysStatus; findings: Finding[] }> {
  const findings: Finding[] = []
  if (auth !== undefined && keys !== undefined && issuer !== undefined) {
    try {
      return { status: await fetchKeysStatus({ auth, keys, issuer }), findings }
    } catch (err) {
      const text = `Auth did not list the keys of the verifiers: ${messageOf(err)}.`
      findings.push(error('keys_status_unavailable', text))
    }
  }
  try {
    if (db === undefined) throw new Error('pass --keys, --auth and --issuer')
    const live = (await listLiveSigningKeys(db)).map(
      ({ kid, liveSeconds }) => [kid, liveSeconds] as const,
    )
    return { status: { verifiers: await listVerifiers(db), live: new Map(live) }, findings }
  } catch (err) {
    const text = `The verifiers could not be checked: ${messageOf(err)}.`
    return { findings: [...findings, warning('verifiers_not_checked', text)] }
  }
}

async function checkFile(file: string, status: KeysStatus | undefined): Promise<Finding[]> {
  try {
    const set = await readKeyFile(file)
    return [...checkKeyFileMode(file, await stat(file)), ...(status ? checkKeys(set, status) : [])]
  } catch (err) {
    const text = `The key file cannot be used: ${messageOf(err)}. Check --keys.`
    return [error('key_file_unusable', text)]
  }
}
