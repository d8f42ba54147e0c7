/** `npm run bench -- verify`: the same with ES256, which costs fifteen times as much. */
import { randomBytes } from 'node:crypto'
import { createLatchkey as createHmacLatchkey } from './contenders.ts'
import {
  createFastJwt,
  createJose,
  createLatchkey,
  floor,
  jsonwebtokenContender,
} from './contenders-es256.ts'
import { compare, measure, timeTokens } from './measure.ts'
import { atMost, faster, measureRefusals, notSlower, toBars } from './ratios.ts'
import { report } from './report.ts'
import { listInvalid, makeEcToken, makeToken, makeTokens } from './tokens.ts'

const warmUp = 8
const rounds = 31
const tokensPerRound = 500
const clients = 1_000

const batches = Array.from({ length: warmUp + rounds }, () =>
  makeTokens(tokensPerRound, makeEcToken),
)
const distinct = (round: number) => batches[round] ?? []

const once = await measure(
  {
    'crypto.verify': timeTokens(floor, distinct),
    latchkey: timeTokens(createLatchkey(), distinct),
    'latchkey, no cache': timeTokens(createLatchkey(false), distinct),
    'fast-jwt': timeTokens(createFastJwt(false), distinct),
    jsonwebtoken: timeTokens(jsonwebtokenContender, distinct),
    jose: timeTokens(await createJose(), distinct),
  },
  rounds,
  warmUp,
)

const ownTokens = makeTokens(clients, makeEcToken)
const ownHmacTokens = makeTokens(clients, makeToken)
const repeated = await measure(
  {
    latchkey: timeTokens(createLatchkey(), () => ownTokens),
    'latchkey, HS256': timeTokens(createHmacLatchkey(), () => ownHmacTokens),
    'fast-jwt': timeTokens(createFastJwt(true), () => ownTokens),
  },
  rounds,
  warmUp,
)

const invalid: Record<string, () => string> = {
  ...listInvalid(makeEcToken),
  'a random signature': () =>
    makeEcToken().replace(/[^.]*$/, randomBytes(64).toString('base64url')),
  'a signature of zeros': () => makeEcToken().replace(/[^.]*$/, 'A'.repeat(86)),
}
const sizes = { tokensPerRound, rounds, warmUp }
const refused = await measureRefusals(createLatchkey(false), distinct, invalid, sizes)

await report({
  name: 'verify-es256',
  title: 'Verifying an access token signed with ES256',
  measures: [
    ...['jsonwebtoken', 'fast-jwt', 'crypto.verify', 'jose'].map((peer) =>
      faster(`distinct tokens, against ${peer}`, once, peer, 1),
    ),
    faster(
      `tokens of ${clients} clients repeated, against fast-jwt with its cache`,
      repeated,
      'fast-jwt',
      4,
    ),
    atMost(
      `tokens of ${clients} clients repeated, against HS256`,
      compare(repeated, 'latchkey', 'latchkey, HS256'),
      1.1,
    ),
    ...Object.keys(invalid).map((name) =>
      notSlower(`refusing ${name}`, refused, name, 'accepting'),
    ),
  ],
  panels: {
    'distinct tokens': toBars(once),
    [`tokens of ${clients} clients repeated, with caches`]: toBars(repeated),
    'refusing, by latchkey': toBars(refused, () => true),
  },
  unit: 'ns',
})
