import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'
import { ProblemError } from './problem.ts'

/**
 * Mean delay of the event loop over a second beyond which requests are refused, in milliseconds: the
 * answers would come too late for whoever waits, and each delays the others.
 */
const maxEventLoopDelayMs = 500

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
    await app.register(underPressure, {
      maxEventLoopDelay: maxEventLoopDelayMs,
      customError: Overloaded,
      retryAfter: 1,
    })
  },
  { name: 'overload', fastify: '5.x' },
)

/** For the `config` of a route that answers under overload too: a busy instance must not be taken for dead. */
export const answersUnderOverload = { pressureHandler: () => {} } as const
