import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'
import { ProblemError } from './problem.ts'

/**
 * Mean event loop delay over a second above which requests are refused, in milliseconds: clients
 * would have given up before the answer, and every request delays the others.
 */
const maxEventLoopDelayMs = 500

/** Duration of one sample of the delay, in milliseconds; used until the next one is complete. */
const sampleMs = 1_000

export class Overloaded extends ProblemError {
  constructor() {
    super(503, 'overloaded', 'This instance is overloaded. Try again in a second.', {
      'retry-after': '1',
    })
  }
}

/** Refuses requests with 503 `overloaded` while the event loop is late. */
export const overload = fp(
  async (app) => {
    // Injected requests share the event loop of a test: a server that does not listen has no load.
    let listeningSince = Number.POSITIVE_INFINITY
    app.addHook('onListen', async () => {
      listeningSince = performance.now()
    })
    await app.register(underPressure, {
      maxEventLoopDelay: maxEventLoopDelayMs,
      sampleInterval: sampleMs,
      pressureHandler: async () => {
        // A sample that began before the process listened measured its start.
        if (performance.now() - listeningSince > 2 * sampleMs) throw new Overloaded()
      },
    })
  },
  { name: 'overload', fastify: '5.x' },
)

/** `config` of a route that answers under overload: a busy instance must not look dead. */
export const answersUnderOverload = { pressureHandler: () => {} } as const
