import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { lastErrorLine, startChild } from '../src/processes/child.ts'
import { SupervisedProcess } from '../src/processes/supervised-process.ts'
import { makeFolder } from './helpers.ts'

/** A supervised `node -e`, serving once it has printed `up`. */
async function supervise(t: Test, script: () => string) {
  const logFile = join(await makeFolder(t), 'child.log')
  const sentences: string[] = []
  const said = Promise.withResolvers<void>()
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
          stopTimeoutMs: 300,
        }),
      async untilReady(child, died) {
        while (!child.output().includes('up')) await sleep(5, undefined, { signal: died })
      },
    },
    {
      onEvent: (sentence) => {
        sentences.push(sentence)
        said.resolve()
      },
    },
  )
  t.teardown(() => supervised.stop())
  return { supervised, sentences, said: said.promise }
}

const serve = "console.log('up'); setInterval(() => {}, 1000)"

t.test('a process that dies before it serves fails its start, with its last words', async (t) => {
  const script = "console.error('auth cannot start: no keys'); process.exit(3)"
  const { supervised } = await supervise(t, () => script)
  await t.rejects(supervised.start(), {
    name: 'ClusterError',
    message: 'child ended with exit code 3 while starting: auth cannot start: no keys',
  })
})

t.test('a process that serves and dies is started again at once', async (t) => {
  const { supervised, sentences, said } = await supervise(t, () => serve)
  await supervised.start()
  const before = supervised.pid
  supervised.kill('SIGKILL')
  await said
  t.match(sentences, [/^child was killed \(SIGKILL\); started again after 0\.\d s$/])
  t.not(supervised.pid, before)
})

t.test('a process that keeps dying is given up aloud, after growing pauses', async (t) => {
  let starts = 0
  const { supervised, sentences, said } = await supervise(t, () =>
    ++starts === 1 ? "console.log('up'); setTimeout(() => process.exit(1), 20)" : 'process.exit(7)',
  )
  await supervised.start()
  const startedAt = Date.now()
  await said
  t.equal(starts, 5)
  t.ok(Date.now() - startedAt > 3_500)
  t.match(sentences, [/^child ended with exit code 1 .*given up \(child ended with exit code 7/])
})

t.test('a process that ignores its stop signal, or is frozen, is ended by force', async (t) => {
  const deaf = await supervise(t, () => `process.on('SIGTERM', () => {}); ${serve}`)
  await deaf.supervised.start()
  await deaf.supervised.stop()
  const frozen = await supervise(t, () => serve)
  await frozen.supervised.start()
  frozen.supervised.kill('SIGSTOP')
  await frozen.supervised.stop()
  t.strictSame([...deaf.sentences, ...frozen.sentences], [], 'what was asked for is not reported')
})

t.test('last words are a sentence, whether logged as JSON or thrown', async (t) => {
  t.equal(lastErrorLine('{"level":30,"msg":"hello"}\n{"level":60,"msg":"no keys"}\n'), 'no keys')
  t.equal(lastErrorLine('{"level":60,"err":{"message":"refused"},"msg":"x"}\n'), 'refused')
  t.equal(
    lastErrorLine('Error: broken\n    at file:1:2\n  code: 1\n}\n\nNode.js v24.0.0\n'),
    'Error: broken',
  )
  t.equal(lastErrorLine(''), '')
})
