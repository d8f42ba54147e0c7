import { error, type Finding, ok, warning } from './finding.ts'
import type { Server, Standby } from './server-store.ts'

/** Whether the server accepts writes, keeps them, and copies them before it acknowledges them. */
export function checkReplication(server: Server, standbys: readonly Standby[]): Finding[] {
  if (server.isInRecovery) {
    const text = 'is a standby (in recovery). Connect to the primary, directly or through a proxy'
    return [error('server_in_recovery', `The server ${text} that follows it.`)]
  }
  return [...findLossyServer(server), ...checkStandbys(server, standbys)]
}

function findLossyServer(server: Server): Finding[] {
  const { isReadOnly, fsync, fullPageWrites, synchronousCommit: commit, role } = server
  const findings: Finding[] = []
  if (isReadOnly) {
    const text = 'The server is read-only for this role: default_transaction_read_only is on.'
    findings.push(error('server_read_only', `${text} Set it to off.`))
  }
  if (fsync === 'off') {
    const text = 'fsync is off: a crash of the machine can destroy the database. Turn it on.'
    findings.push(error('fsync_off', text))
  }
  if (fullPageWrites === 'off') {
    const text = 'full_page_writes is off: a crash can leave half-written pages. Turn it on.'
    findings.push(error('full_page_writes_off', text))
  }
  if (commit === 'off' || (commit === 'local' && server.synchronousStandbyNames !== '')) {
    const text =
      `Role ${role} commits with synchronous_commit = ${commit}. Auth sets it to on for what it ` +
      'must not lose; your own statements can be lost after they were acknowledged. ' +
      `Run ALTER ROLE ${role} RESET synchronous_commit.`
    findings.push(warning('synchronous_commit_off', text))
  }
  return findings
}

function checkStandbys(server: Server, standbys: readonly Standby[]): Finding[] {
  const { synchronousStandbyNames: names, maySeeStandbys, role } = server
  const needed = names === '' ? 0 : Number(/^\s*(?:ANY|FIRST)?\s*(\d+)\s*\(/i.exec(names)?.[1] ?? 1)
  const waitedFor = standbys.filter(({ syncState }) => /^(sync|quorum)$/.test(syncState ?? ''))
  if (standbys.length > 0 && !maySeeStandbys) {
    const text =
      `${standbys.length} standbys are connected, but role ${role} cannot see whether commits ` +
      `wait for them. As a superuser run GRANT pg_monitor TO ${role}.`
    return [warning('standbys_hidden', text)]
  }
  if (waitedFor.length < needed) {
    const text =
      `synchronous_standby_names is '${names}', but ${waitedFor.length} of ${needed} such ` +
      'standbys are connected: writes wait. Start the standby, or change the setting.'
    return [error('synchronous_standby_missing', text)]
  }
  if (needed > 0) {
    return [ok('standby_synchronous', `Commits wait for ${describeStandbys(waitedFor)}.`)]
  }
  if (standbys.length === 0) {
    const text = 'No standby is connected: if the server is lost, what was written since the last'
    return [ok('standby_none', `${text} backup is lost.`)]
  }
  const text =
    `Replication to ${describeStandbys(standbys)} is asynchronous: a failover can lose an ` +
    'acknowledged logout, unless an auth instance that knows it still runs. ' +
    'Set synchronous_standby_names.'
  return [warning('standby_asynchronous', text)]
}

const describeStandbys = (standbys: readonly Standby[]): string =>
  standbys.map(({ name, state }) => `${name} (${state})`).join(', ')
