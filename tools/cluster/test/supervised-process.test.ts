import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { lastErrorLine, startChild } from '../src/processes/child.ts'
import { signalFamily } from '../src/processes/process-table.ts'
import { SupervisedProcess } from '../src/processes/supervised-process.ts'
import { makeFolder } from './helpers.ts'

/** A supervised `node -e`, ready once it has printed `up`. */
async function supervise(t: Test, script: () => string, stopTimeoutMs = 300) {
  const logFile = join(await makeFolder(t), 'child.log')
  const sentences: string[] = []
  const reported = Promise.withResolvers<void>()
  const supervised = new SupervisedProcess(
    {
      name: 'child',
      launch: () =>
        startChild({
          command: process.execPath,
          args: ['-e', script()],
          env: {},
          logFile,
          stopSignal: 'SIGTERM',
          stopTimeoutMs,
        }),
      async untilReady(child, died) {
        while (!child.output().includes('up')) await sleep(5, undefined, { signal: died })
      },
    },
    {
      onEvent: (sentence) => {
        sentences.push(sentence)
        reported.resolve()
      },
    },
  )
  t.teardown(() => supervised.stop())
  return { supervised, sentences, reported: reported.promise }
}

const serve = "console.log('up'); setInterval(() => {}, 1000)"

t.test('a start fails with the last error line if the process dies first', async (t) => {
  const script = "console.error('auth cannot start: no keys'); process.exit(3)"
  const { supervised } = await supervise(t, () => script)
  await t.rejects(supervised.start(), {
    name: 'ClusterError',
    message: 'child exited with code 3 before it was ready: auth cannot start: no keys',
  })
})

t.test('restarts a process immediately when it dies after it was ready', async (t) => {
  const { supervised, sentences, reported } = await supervise(t, () => serve)
  await supervised.start()
  const before = supervised.pid
  supervised.kill('SIGKILL')
  await reported
  t.match(sentences, [/^child was killed \(SIGKILL\); restarted after \d\.\d s$/])
  t.not(supervised.pid, before)
})

t.test('gives up a process that keeps dying, after growing delays, and reports it', async (t) => {
  let starts = 0
  const { supervised, sentences, reported } = await supervise(t, () =>
    ++starts === 1 ? "console.log('up'); setTimeout(() => process.exit(1), 20)" : 'process.exit(7)',
  )
  await supervised.start()
  const startedAt = Date.now()
  await reported
  t.equal(starts, 5)
  t.ok(Date.now() - startedAt > 3_500)
  t.match(sentences, [
    /^child exited with code 1; not restarted again .*\(child exited with code 7/,
  ])
})

t.test('kills a process that ignores its stop signal, and stops a frozen one', async (t) => {
  const deaf = await supervise(t, () => `process.on('SIGTERM', () => {}); ${serve}`)
  await deaf.supervised.start()
  await deaf.supervised.stop()
  const frozen = await supervise(t, () => serve)
  await frozen.supervised.start()
  frozen.supervised.kill('SIGSTOP')
  await frozen.supervised.stop()
  t.strictSame([...deaf.sentences, ...frozen.sentences], [], 'a requested stop is not an event')
})

t.test('stops a frozen process that waits for its frozen child', async (t) => {
  const script = `
    const child = require('node:child_process').spawn('sleep', ['60'])
    child.on('exit', () => process.exit(0))
    process.on('SIGTERM', () => child.kill())
    ${serve}`
  const { supervised } = await supervise(t, () => script, 10_000)
  await supervised.start()
  signalFamily(supervised.pid, 'SIGSTOP')
  t.equal(await supervised.stop(), 0)
})

t.test('finds the last error line in JSON logs and in stack traces', async (t) => {
  t.equal(lastErrorLine('{"level":30,"msg":"hello"}\n{"level":60,"msg":"no keys"}\n'), 'no keys')
  t.equal(lastErrorLine('{"level":60,"err":{"message":"refused"},"msg":"x"}\n'), 'refused')
  t.equal(
    lastErrorLine('Error: broken\n    at file:1:2\n  code: 1\n}\n\nNode.js v24.0.0\n'),
    'Error: broken',
  )
  t.equal(lastErrorLine(''), '')
})
