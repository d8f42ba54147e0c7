import { setTimeout as sleep } from 'node:timers/promises'
import type { Service } from '@latchkey/service-kit'
import type { HasTeardown } from '@latchkey/test-kit'
import pLimit from 'p-limit'
import { mailSettings } from '../mail-support.ts'
import { startInstance, startProcess } from '../support.ts'
import { findFaults, findSecrets } from './check-answer.ts'
import type { Plan } from './draft.ts'
import { generateRequests } from './generate-requests.ts'
import { type Description, type Operation, readOperations } from './operations.ts'
import { createPeople, fill } from './people.ts'
import { type Answer, sendPlan } from './send.ts'

/** Requests in flight at a time: fewer than one instance hashes or queues. */
const concurrency = 16

interface FuzzOptions {
  readonly requests: number
  readonly seed: number
  readonly onAnswer?: (plan: Plan, answer: Answer) => void
}

export interface FuzzResult {
  readonly operations: readonly Operation[]
  /** Answers by the kind of the request, and then by status. */
  readonly counts: ReadonlyMap<string, ReadonlyMap<number, number>>
  /** Successful answers by the ID of the operation. */
  readonly successes: ReadonlyMap<string, number>
  /** What is wrong, with the request; the same fault of the same variation is listed once. */
  readonly faults: readonly string[]
}

/** Sends generated requests to an auth service of its own, and checks every answer. */
export async function fuzzApi(
  t: HasTeardown,
  { requests, seed, onAnswer }: FuzzOptions,
): Promise<FuzzResult> {
  const { child, config, log, url } = await startProcess(t, {
    LATCHKEY_LOG_LEVEL: 'info',
    LATCHKEY_TRUST_PROXY: '127.0.0.1',
    LATCHKEY_REGISTRATION: 'verified',
    ...mailSettings,
    LATCHKEY_REGISTER_LIMIT: 1_000_000,
    LATCHKEY_LOGIN_LIMIT: 1_000_000,
  })
  const app = await startInstance(t, { ...config, LATCHKEY_LOG_LEVEL: 'error' })
  const people = await createPeople(app)
  const description = (await (await fetch(`${url}/docs/json`)).json()) as Description
  const operations = readOperations(description)
  const problem = description.components.schemas.Problem ?? {}
  const examples = JSON.stringify(description)

  const counts = new Map<string, Map<number, number>>()
  const successes = new Map<string, number>()
  const faults = new Map<string, string>()

  const run = async (plan: Plan, number: number) => {
    const cast = await people.cast(plan)
    const values = (text: string) => fill(text, cast.values)
    const sent = [plan.target, ...plan.headers, plan.body ?? ''].map(values).join('\n')
    const answer = await sendPlan(url, plan, values)
    const { status } = answer
    const isSuccess = status >= 200 && status < 300
    cast.release(!mayHaveChanged(plan, status))
    const ofKind = counts.get(plan.kind) ?? new Map<number, number>()
    counts.set(plan.kind, ofKind.set(status, (ofKind.get(status) ?? 0) + 1))
    const { id } = plan.operation
    if (isSuccess && plan.kind === 'valid') successes.set(id, (successes.get(id) ?? 0) + 1)
    for (const fault of findFaults(answer, { plan, cast, operations, problem, examples, sent })) {
      const key = `${id} ${plan.variation} ${status} ${fault.replaceAll(/\d/g, '')}`
      if (!faults.has(key)) faults.set(key, describe(fault, { number, plan, answer }))
    }
    onAnswer?.(plan, answer)
  }
  const limit = pLimit(concurrency)
  await limit.map(generateRequests(operations, { requests, seed }), (plan, number) =>
    run(plan, number).catch((err) => faults.set(String(err), `request ${number}: ${err}`)),
  )

  const hasExited = child.exitCode !== null || child.signalCode !== null
  const isReady = !hasExited && (await fetch(`${url}/readyz`)).status === 200
  const after = [
    ...(isReady ? [] : ['the service is not ready afterwards']),
    ...(await findOpenTransactions(app.db)).map((query) => `a transaction is open: ${query}`),
    ...readErrors(log()).map((line) => `the service logged ${line}`),
    ...findSecrets(log()).map((secret) => `the log contains ${secret}`),
  ]
  return { operations, counts, successes, faults: [...faults.values(), ...after] }
}

/** Whether the users of a request may have lost their sessions: by it, or before. */
function mayHaveChanged({ target, headers, body, method, mustBeRefused }: Plan, status: number) {
  const text = [target, ...headers, body].join('\n')
  // Asking for the code may have changed the address.
  if (text.includes('~code~')) return true
  const isAboutUser = /~(user|admin|refresh_token|session_id|user_id)~/.test(text)
  if (!isAboutUser || mustBeRefused) return false
  return status === 401 || (status < 400 && method !== 'GET')
}

/** The last statements of transactions that do not end within some seconds. */
async function findOpenTransactions(db: Service['db']): Promise<string[]> {
  for (let tries = 20; ; tries -= 1) {
    const { rows } = await db.query<{ query: string }>(
      `SELECT query FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in %'`,
    )
    if (rows.length === 0 || tries === 1) return rows.map(({ query }) => query)
    await sleep(100)
  }
}

/** The different errors of a log. */
function readErrors(log: string): string[] {
  const lines = log.split('\n').filter((line) => /"level":[56]0/.test(line))
  const byMessage = new Map(
    lines.map((line) => {
      const { msg, err } = JSON.parse(line)
      return [`${msg} ${err?.message}`, line]
    }),
  )
  return [...byMessage.values()]
}

function describe(
  fault: string,
  { number, plan, answer }: { number: number; plan: Plan; answer: Answer },
): string {
  const { operation, kind, variation, method, target, headers, body = '' } = plan
  return [
    `request ${number}, ${operation.id}, ${kind}: ${variation}: ${fault}`,
    `  ${method} ${JSON.stringify(shorten([target, ...headers, body].join('\n')))}`,
    `  ${answer.status} ${JSON.stringify(shorten(answer.body))}`,
  ].join('\n')
}

const shorten = (text: string) => (text.length > 700 ? `${text.slice(0, 700)}…` : text)
