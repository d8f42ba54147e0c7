/** `npm run bench -- verify`: verifiers in one process. Needs `--expose-gc` to measure memory. */
import { randomInt } from 'node:crypto'
import {
  createFastJwt,
  createJose,
  createLatchkey,
  floor,
  jsonwebtokenContender,
} from './contenders.ts'
import { compare, measure, median, type Samples, timeTokens } from './measure.ts'
import { measureFullCache, measureInvalidTokens } from './memory.ts'
import { type Measure, report, under } from './report.ts'
import { makeToken, makeTokens } from './tokens.ts'

const warmUp = 8
const rounds = 31
const tokensPerRound = 2_000

const batches = Array.from({ length: warmUp + rounds }, () => makeTokens(tokensPerRound))
const distinct = (round: number) => batches[round] ?? []
const size = distinct(0)[0]?.length
console.log(`${warmUp + rounds} rounds of ${tokensPerRound} tokens of ${size} characters …`)

const once = await measure(
  {
    floor: timeTokens(floor, distinct),
    latchkey: timeTokens(createLatchkey(), distinct),
    'latchkey, no cache': timeTokens(createLatchkey(false), distinct),
    'fast-jwt': timeTokens(createFastJwt(false), distinct),
    jsonwebtoken: timeTokens(jsonwebtokenContender, distinct),
    jose: timeTokens(await createJose(), distinct),
  },
  rounds,
  warmUp,
)

/** 10,000 tokens fill the caches of both. */
const repeatedBars = { 100: 4, 1000: 4, 10000: 2 }
const repeated: { what: string; bar: number; samples: Samples }[] = []
for (const [clients, bar] of Object.entries(repeatedBars)) {
  const own = makeTokens(Number(clients))
  const count = Math.max(tokensPerRound, own.length)
  const draw = () => Array.from({ length: count }, () => own[randomInt(own.length)] as Buffer)
  const subjects = {
    latchkey: timeTokens(createLatchkey(), draw),
    'fast-jwt': timeTokens(createFastJwt(true), draw),
  }
  const what = `tokens of ${clients} clients repeated`
  repeated.push({ what, bar, samples: await measure(subjects, rounds, warmUp) })
}

const randomLetter = () => String.fromCharCode(randomInt(97, 123))
const invalid = {
  'garbage without dots': () => makeToken().replaceAll('.', '-'),
  'garbage in three segments': () => makeToken().replace(/[^.]/g, randomLetter),
  'a wrong signature': () => makeToken({ fault: 'foreign' }),
  'an expired token': () => makeToken({ expiresInSeconds: -60 }),
}
const latchkey = createLatchkey()
const refusing = Object.entries(invalid).map(([name, make]) => {
  const tokens = makeTokens(tokensPerRound, make)
  return [name, timeTokens(latchkey, () => tokens)] as const
})
const refused = await measure(
  { accepting: timeTokens(latchkey, distinct), ...Object.fromEntries(refusing) },
  rounds,
  warmUp,
)

const toBars = (samples: Samples, isOurs = (name: string) => name.startsWith('latchkey')) =>
  [...samples].map(([label, values]) => ({ label, value: median(values), isOurs: isOurs(label) }))

await report({
  name: 'verify',
  title: 'Verifying an access token',
  measures: [
    faster('distinct tokens, against fast-jwt', once, 'fast-jwt', 1.5),
    atMost('distinct tokens, against the floor', compare(once, 'latchkey', 'floor'), 1.25),
    ...repeated.map(({ what, bar, samples }) =>
      faster(`${what}, against fast-jwt with its cache`, samples, 'fast-jwt', bar),
    ),
    faster('distinct tokens, against jose', once, 'jose', 10),
    faster('distinct tokens, against jsonwebtoken', once, 'jsonwebtoken', 1.7),
    ...Object.keys(invalid).map((name) => ({
      // Two runs of the same code differ by 5 %.
      ...atMost(`refusing ${name}, against accepting`, compare(refused, name, 'accepting'), 1.05),
      bar: 'not slower',
    })),
    under('growth over 1,000,000 distinct invalid tokens', measureInvalidTokens(), 1, 'MB', 1),
    under('a full cache of 10,000', measureFullCache(), 20, 'MB', 1),
  ],
  panels: {
    'distinct tokens': toBars(once),
    ...Object.fromEntries(
      repeated.map(({ what, samples }) => [`${what}, with caches`, toBars(samples)]),
    ),
    'refusing, by latchkey': toBars(refused, () => true),
  },
  unit: 'ns',
})

function faster(what: string, samples: Samples, than: string, bar: number): Measure {
  const ratio = compare(samples, than, 'latchkey')
  const result = `${ratio.toFixed(2)} × faster`
  return { what, result, bar: `${bar} × faster`, isMet: ratio >= bar }
}

function atMost(what: string, ratio: number, bar: number): Measure {
  const result = `${ratio.toFixed(2)} × its time`
  return { what, result, bar: `${bar} × its time`, isMet: ratio <= bar }
}
