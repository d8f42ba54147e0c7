import type { FastifyInstance } from 'fastify'

/**
 * Repeats work from the time the server is ready, or listens, until it closes. The timer does not
 * keep the process alive.
 *
 * @param work never rejects; returns the pause until the next time, in milliseconds
 */
export function repeatWhileOpen(
  app: FastifyInstance,
  work: () => Promise<number>,
  start: 'onReady' | 'onListen' = 'onReady',
): void {
  let timer: NodeJS.Timeout | undefined
  let closing = false
  const loop = async () => {
    const pauseMs = await work()
    if (!closing) timer = setTimeout(loop, pauseMs).unref()
  }
  // Work may take long, and neither waits for it.
  app.addHook(start as 'onReady', async () => void loop())
  app.addHook('onClose', async () => {
    closing = true
    clearTimeout(timer)
  })
}
