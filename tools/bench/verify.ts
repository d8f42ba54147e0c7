/** `npm run bench:verify`: the verifier beside others, in one process. Needs `--expose-gc` for the memory part. */
import {
  createFastJwt,
  createJose,
  createLatchkey,
  floor,
  jsonwebtokenContender,
} from './contenders.ts'
import { measure, median, ratio, type Subject, type Timings } from './measure.ts'
import { measureMemory } from './memory.ts'
import { type Bar, type Measure, report } from './report.ts'
import { makeToken, makeTokens } from './tokens.ts'

const WARM_UP = 8
const ROUNDS = 31
const TOKENS = 2000

const distinctBatches = Array.from({ length: WARM_UP + ROUNDS }, () => makeTokens(TOKENS))
const distinct = (round: number) => distinctBatches[round] as Buffer[]

console.log(
  `${WARM_UP + ROUNDS} rounds of ${TOKENS} tokens of ${distinct(0)[0]?.length} characters …`,
)

const once = await measure(
  [
    { name: 'floor', contender: floor, tokens: distinct },
    { name: 'latchkey', contender: createLatchkey(), tokens: distinct },
    { name: 'latchkey, no cache', contender: createLatchkey(false), tokens: distinct },
    { name: 'fast-jwt', contender: createFastJwt(false), tokens: distinct },
    { name: 'jsonwebtoken', contender: jsonwebtokenContender, tokens: distinct },
    { name: 'jose', contender: await createJose(), tokens: distinct },
  ],
  ROUNDS,
  WARM_UP,
)

const repeated = new Map<number, Timings>()
for (const clients of [100, 1000]) {
  const batch = repeat(makeTokens(clients), TOKENS)
  repeated.set(
    clients,
    await measure(
      [
        { name: 'latchkey', contender: createLatchkey(), tokens: () => batch },
        { name: 'fast-jwt', contender: createFastJwt(true), tokens: () => batch },
      ],
      ROUNDS,
      WARM_UP,
    ),
  )
}

const garbage = makeTokens(TOKENS, () => makeToken().replaceAll('.', '-'))
const garbageSegments = makeTokens(TOKENS, () => makeToken().replace(/[^.]/g, () => randomLetter()))
const wrong = makeTokens(TOKENS, () => makeToken({ fault: 'foreign' }))
const expired = makeTokens(TOKENS, () => makeToken({ expiresInSeconds: -60 }))
const refusals: Record<string, readonly Buffer[]> = {
  'garbage without dots': garbage,
  'garbage in three segments': garbageSegments,
  'a wrong signature': wrong,
  'an expired token': expired,
}
const latchkey = createLatchkey()
const refused = await measure(
  [
    { name: 'accepting', contender: latchkey, tokens: distinct },
    ...Object.entries(refusals).map(
      ([name, tokens]): Subject => ({ name, contender: latchkey, tokens: () => tokens }),
    ),
  ],
  ROUNDS,
  WARM_UP,
)

const memory = measureMemory()
const measures: Measure[] = [
  atLeast('distinct tokens, against fast-jwt', ratio(once, 'fast-jwt', 'latchkey'), 1.5, 1.9),
  atMost('distinct tokens, against the floor', ratio(once, 'latchkey', 'floor'), 1.25, 1.0),
  ...[...repeated].map(([clients, timings]) =>
    atLeast(
      `tokens of ${clients} clients repeated, against fast-jwt with its cache`,
      ratio(timings, 'fast-jwt', 'latchkey'),
      4,
      6,
    ),
  ),
  atLeast('distinct tokens, against jose', ratio(once, 'jose', 'latchkey'), 10),
  atLeast('distinct tokens, against jsonwebtoken', ratio(once, 'jsonwebtoken', 'latchkey'), 1.7),
  ...Object.keys(refusals).map((name) =>
    notSlower(`refusing ${name}, against accepting`, ratio(refused, name, 'accepting')),
  ),
  megabytes('growth over 1,000,000 distinct invalid tokens', memory.invalid, 1),
  megabytes('a full cache of 10,000', memory.cache, 20),
]
const bars: Bar[] = [
  ...toBars(once, ''),
  ...[...repeated].flatMap(([clients, timings]) =>
    toBars(timings, `, ${clients} clients repeated`),
  ),
  ...toBars(refused, ' (latchkey)'),
]
await report('verify', 'Verifying an access token', measures, bars, 'ns')

function repeat(tokens: readonly Buffer[], count: number): Buffer[] {
  return Array.from({ length: count }, (_, i) => tokens[i % tokens.length] as Buffer)
}

function randomLetter(): string {
  return String.fromCharCode(97 + Math.floor(Math.random() * 26))
}

function toBars(timings: Timings, suffix: string): Bar[] {
  return [...timings].map(([name, values]) => ({
    label: name + suffix,
    value: median(values),
    isOurs: name.startsWith('latchkey') || suffix.includes('latchkey'),
  }))
}

function atLeast(what: string, value: number, bar: number, aim?: number): Measure {
  return {
    what,
    result: `${value.toFixed(2)} × faster`,
    bar: `${bar} × faster`,
    isMet: value >= bar,
    ...(aim !== undefined && { aim: `${aim} ×` }),
  }
}

function atMost(what: string, value: number, bar: number, aim?: number): Measure {
  return {
    what,
    result: `${value.toFixed(2)} × its time`,
    bar: `${bar} × its time`,
    isMet: value <= bar,
    ...(aim !== undefined && { aim: `${aim} ×` }),
  }
}

/** Within the 5 % by which two runs of the same thing differ. */
function notSlower(what: string, value: number): Measure {
  return { ...atMost(what, value, 1.05), bar: 'not slower' }
}

function megabytes(what: string, value: number, bar: number): Measure {
  return { what, result: `${value.toFixed(1)} MB`, bar: `under ${bar} MB`, isMet: value < bar }
}
