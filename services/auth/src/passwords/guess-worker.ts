// A worker thread: replies to each password with the number of guesses that would find it.
import { parentPort } from 'node:worker_threads'
import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary as common } from '@zxcvbn-ts/language-common'
import { dictionary as english } from '@zxcvbn-ts/language-en'

/**
 * Without the ten smallest lists, such as the directions and the zodiac: their words are in the
 * others, and each list adds to the time of a check.
 */
const words = [
  'commonWords-en',
  'firstnames-en',
  'lastnames-en',
  'wikipedia-en',
  'daysOfWeek-en',
  'months-en',
  'seasons-en',
] as const

const estimator = new ZxcvbnFactory({
  dictionary: { ...common, ...Object.fromEntries(words.map((name) => [name, english[name]])) },
  graphs: adjacencyGraphs,
  maxLength: 64,
  // The default of 100 makes a check up to ten times as slow, and finds hardly more.
  l33tMaxSubstitutions: 10,
})

parentPort?.on('message', (password: string) => {
  parentPort?.postMessage(estimator.check(password).guesses)
})
