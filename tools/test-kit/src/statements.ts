import { relative } from 'node:path'
import { Client, Pool } from 'pg'
import type { HasTeardown } from './database.ts'

/** A statement that ran, with the values of its first run. */
export interface Statement {
  /** Of the prepared statement, or else of the function that runs it. */
  readonly name: string
  readonly text: string
  readonly values: readonly unknown[]
  /** Every line that runs it, and the lines that call these, as `sessions/store.ts:58`. */
  readonly lines: Set<string>
}

/** A line of the folder in a stack trace: function, file and line. */
const frame = /^ +at (?:async )?(?:(?:new |Object\.)?([\w$.]+) \()?(?:file:\/\/)?([^():]+):(\d+):/gm

/**
 * Records the statements that the sources in a folder run in this process, each text once, until
 * the teardown.
 */
export function recordStatements(t: HasTeardown, folder: string): ReadonlyMap<string, Statement> {
  const statements = new Map<string, Statement>()
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 50
  for (const { prototype } of [Client, Pool]) {
    const { query } = prototype
    const recording = function (this: Client & Pool, ...args: [unknown, unknown]): unknown {
      const callers = findCallers(folder)
      const statement = readArguments(args)
      if (callers.length > 0 && !isOfTransaction.test(statement.text)) {
        add(statements, statement, callers)
      }
      return Reflect.apply(query, this, args)
    }
    prototype.query = recording as typeof query
    t.teardown(() => {
      prototype.query = query
    })
  }
  t.teardown(() => {
    Error.stackTraceLimit = limit
  })
  return statements
}

const isOfTransaction = /^(BEGIN|COMMIT|ROLLBACK)\b/

interface Caller {
  readonly name: string
  readonly line: string
}

/** The callers in a folder, the innermost first. */
function findCallers(folder: string): Caller[] {
  const frames = [...(new Error().stack ?? '').matchAll(frame)]
  return frames
    .filter(([, , file = '']) => file.startsWith(folder))
    .map(([, name = '', file = '', line = '']) => ({
      name,
      line: `${relative(folder, file)}:${line}`,
    }))
}

/** `pg` accepts a text and its values, or both in one object. */
function readArguments([first, second]: [unknown, unknown]): Omit<Statement, 'lines'> {
  const {
    name = '',
    text,
    values = [],
  } = typeof first === 'object'
    ? (first as Partial<Statement>)
    : { text: String(first), values: Array.isArray(second) ? second : [] }
  return { name, text: text ?? '', values }
}

/** The files of a service that contain most of its SQL. */
const isStore = ({ line }: Caller): boolean => line.includes('store.ts:')

function add(
  statements: Map<string, Statement>,
  { name, text, values }: Omit<Statement, 'lines'>,
  callers: readonly Caller[],
): void {
  const found = statements.get(text) ?? {
    name: name || (callers.find(isStore) ?? callers[0])?.name || '',
    text,
    values,
    lines: new Set<string>(),
  }
  for (const { line } of callers) found.lines.add(line)
  statements.set(text, found)
}
