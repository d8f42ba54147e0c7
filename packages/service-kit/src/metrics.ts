import fp from 'fastify-plugin'
import { collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { answersUnderOverload } from './overload.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** This app's own registry, so that two apps in one process (as in tests) do not collide. */
    metrics: Registry
  }
}

/** `/metrics` in Prometheus' text format, and the duration of every request by route. */
export const metrics = fp<{ name: string; instance: string }>(
  async (app, { name, instance }) => {
    const registry = new Registry()
    registry.setDefaultLabels({ service: name, instance_name: instance })
    // Its default event loop monitor wakes the process 100 times per second, and `overload` has one
    // already.
    collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 1_000 })
    new Gauge({
      name: 'latchkey_event_loop_delay_seconds',
      help: 'Mean event loop delay of the last second, in seconds; above 0.5, requests are refused',
      registers: [registry],
      collect() {
        this.set(app.memoryUsage().eventLoopDelay / 1_000)
      },
    })
    const duration = new Histogram({
      name: 'latchkey_http_request_duration_seconds',
      help: 'Time from the first byte of a request to the last byte of its response, in seconds',
      labelNames: ['method', 'route', 'status'] as const,
      buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5],
      registers: [registry],
    })
    app.decorate('metrics', registry)

    app.addHook('onResponse', async (request, reply) => {
      // The route's pattern, never the URL: otherwise any client could grow the registry.
      const route = request.routeOptions.url ?? 'none'
      duration.observe(
        { method: request.method, route, status: reply.statusCode },
        reply.elapsedTime / 1_000,
      )
    })
    const config = { public: true, ...answersUnderOverload }
    app.get('/metrics', { config, logLevel: 'warn' }, async (_request, reply) => {
      reply.type(registry.contentType)
      return registry.metrics()
    })
  },
  { name: 'metrics', fastify: '5.x' },
)
