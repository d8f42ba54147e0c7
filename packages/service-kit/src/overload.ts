import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'
import { ProblemError } from './problem.ts'

/**
 * Mean delay of the event loop over a second beyond which requests are refused, in milliseconds: the
 * answers would come too late for whoever waits, and each delays the others.
 */
const maxEventLoopDelayMs = 500

/** How long a sample of the delay takes, and then holds, in milliseconds. */
const sampleMs = 1_000

class Overloaded extends ProblemError {
  constructor() {
    super(503, 'overloaded', 'This instance has too much to do. Try again in a second.', {
      'retry-after': '1',
    })
  }
}

/** Refuses requests with 503 `overloaded` while the event loop is behind, before it drowns. */
export const overload = fp(
  async (app) => {
    let listeningSince = Number.NEGATIVE_INFINITY
    app.addHook('onListen', async () => {
      listeningSince = performance.now()
    })
    await app.register(underPressure, {
      maxEventLoopDelay: maxEventLoopDelayMs,
      sampleInterval: sampleMs,
      pressureHandler: async () => {
        // A sample begun before the process listened has measured its start, which is over.
        if (performance.now() - listeningSince > 2 * sampleMs) throw new Overloaded()
      },
    })
  },
  { name: 'overload', fastify: '5.x' },
)

/** For the `config` of a route that answers under overload too: a busy instance must not be taken for dead. */
export const answersUnderOverload = { pressureHandler: () => {} } as const
