/** `npm run bench -- verify`: verifiers in one process. Needs `--expose-gc` to measure memory. */
import { randomInt } from 'node:crypto'
import {
  createFastJwt,
  createJose,
  createLatchkey,
  floor,
  jsonwebtokenContender,
} from './contenders.ts'
import { compare, measure, type Samples, timeTokens } from './measure.ts'
import { measureFullCache, measureInvalidTokens } from './memory.ts'
import { atMost, faster, measureRefusals, notSlower, toBars } from './ratios.ts'
import { report, under } from './report.ts'
import { listInvalid, makeToken, makeTokens } from './tokens.ts'

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

const invalid = listInvalid(makeToken)
const sizes = { tokensPerRound, rounds, warmUp }
const refused = await measureRefusals(createLatchkey(), distinct, invalid, sizes)

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
    ...Object.keys(invalid).map((name) =>
      notSlower(`refusing ${name}`, refused, name, 'accepting'),
    ),
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
