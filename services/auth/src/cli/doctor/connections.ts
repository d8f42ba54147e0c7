import type { Connections } from '@latchkey/service-kit'
import { type Finding, ok, warning } from './finding.ts'
import type { Server } from './server-store.ts'

interface Pools {
  /** How many auth instances reported in the last minute. */
  instances: number
  /** `LATCHKEY_DATABASE_POOL_MAX` of this environment. The server does not know it. */
  poolMax: number | undefined
}

/** The default of `LATCHKEY_DATABASE_POOL_MAX`. */
const defaultPoolMax = 10
/** More of the connections in use is worth a warning. */
const maxUsedShare = 0.9

/**
 * Whether every auth instance can open all its connections while the others keep theirs. What other
 * services may still open is not known.
 */
export function checkConnections(connections: Connections, pools: Pools): Finding[] {
  const { limit, used, usedByInstances } = connections
  const { instances, poolMax = defaultPoolMax } = pools
  const others = used - usedByInstances
  const wanted = instances * poolMax
  const source = pools.poolMax === undefined ? 'the default' : 'set here'
  const numbers =
    `${used} of ${limit} connections are in use, ${usedByInstances} by auth. Its pools may open ` +
    `${wanted} (instances: ${instances}; LATCHKEY_DATABASE_POOL_MAX is ${poolMax}, ${source}; ` +
    'each instance may have another).'
  if (others + wanted > limit) {
    const text = `${numbers} Lower LATCHKEY_DATABASE_POOL_MAX, or raise max_connections.`
    return [warning('connections_too_few', text)]
  }
  if (used > limit * maxUsedShare) {
    return [warning('connections_nearly_used', `${numbers} Raise max_connections.`)]
  }
  return [ok('connections', numbers)]
}

/** Behind a pooler the service cannot set its time limits itself. */
export function checkPooler({ statementTimeoutMs, role }: Server, pooler = 'none'): Finding[] {
  if (pooler !== 'transaction' || statementTimeoutMs > 0) return []
  const text =
    `LATCHKEY_DATABASE_POOLER is transaction, and role ${role} has no statement_timeout: a slow ` +
    `statement never ends. Run ALTER ROLE ${role} SET statement_timeout = '4s', and the same for ` +
    'idle_in_transaction_session_timeout.'
  return [warning('statement_timeout_unset', text)]
}
