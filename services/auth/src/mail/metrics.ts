import type { FastifyInstance } from 'fastify'
import { Counter, Gauge } from 'prom-client'
import { countMail } from './outbox-store.ts'

/** Exposes what the outbox contains. @returns counts attempts to send */
export function exposeMailMetrics(app: FastifyInstance): Counter<'result'> {
  const registers = [app.metrics]
  let counting: ReturnType<typeof countMail> | undefined
  /** One query for both metrics of a scrape, which are collected simultaneously. */
  const count = async () => {
    counting ??= countMail(app.db).finally(() => {
      counting = undefined
    })
    // Without the database the numbers are unknown, and the metrics have no samples.
    return counting.catch(() => undefined)
  }
  new Gauge({
    name: 'latchkey_mail_queue',
    help: 'Mails in the outbox: queued, or dead (expired or refused, kept for a week)',
    labelNames: ['state'] as const,
    registers,
    async collect() {
      this.reset()
      const counts = await count()
      if (!counts) return
      this.set({ state: 'queued' }, counts.queued)
      this.set({ state: 'dead' }, counts.dead)
    },
  })
  new Gauge({
    name: 'latchkey_mail_oldest_seconds',
    help: 'Age of the oldest mail that waits in the outbox; 0 if none does',
    registers,
    async collect() {
      this.remove()
      const counts = await count()
      if (counts) this.set(counts.oldestSeconds)
    },
  })
  return new Counter({
    name: 'latchkey_mails_total',
    help: 'Attempts to send a mail, by result: sent, failed (retried), refused, expired, or skipped (of a request for an unknown address)',
    labelNames: ['result'] as const,
    registers,
  })
}
