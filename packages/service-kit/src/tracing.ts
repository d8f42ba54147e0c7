import type { FastifyBaseLogger } from 'fastify'
import { pathOf } from './logging.ts'

/** Traces being taken. */
export interface Tracing {
  /** Where what keeps spans from being exported is said, from now on. */
  reportTo: (log: FastifyBaseLogger) => void
  /** Exports what is still held; never throws, and takes no longer than one export may. */
  stop: () => Promise<void>
}

/** One export, in milliseconds: a collector that is away must not keep a service from stopping. */
const exportTimeoutMs = 2_000

/** Asked by machines, each second or so: their spans would bury all others. */
const unobserved = new Set(['/livez', '/readyz', '/metrics', '/v1/revocations'])

/**
 * Takes traces of every Fastify server made from now on, and of its calls to other services, which carry them on in
 * `traceparent` (W3C Trace Context). Exports them by OTLP over HTTP to `OTEL_EXPORTER_OTLP_ENDPOINT`.
 *
 * OpenTelemetry's own variables say the rest: headers, sampling, the service's name, resource attributes. Spans hold
 * routes, paths and the messages of errors, and no query string, header, body or stack. A service that takes no traces
 * does not load any of this.
 */
export async function startTracing(service: string, instance: string): Promise<Tracing> {
  const [{ diag, DiagLogLevel }, fastify, exporter, sdk, resources, undici] = await Promise.all([
    import('@opentelemetry/api'),
    import('@fastify/otel'),
    import('@opentelemetry/exporter-trace-otlp-proto'),
    import('@opentelemetry/sdk-trace-node'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/instrumentation-undici'),
  ])
  const { detectResources, envDetector, resourceFromAttributes } = resources
  const processor = new sdk.BatchSpanProcessor(
    new exporter.OTLPTraceExporter({ timeoutMillis: exportTimeoutMs }),
    { exportTimeoutMillis: exportTimeoutMs },
  )
  const provider = new sdk.NodeTracerProvider({
    resource: resourceFromAttributes({
      'service.name': `latchkey-${service}`,
      'service.instance.id': instance,
    }).merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [processor],
  })
  provider.register()
  new fastify.FastifyOtelInstrumentation({
    registerOnInitialization: true,
    instrumentHooks: false,
    recordExceptions: false,
    ignorePaths: (request) => unobserved.has(pathOf(request)),
    requestHook: (span, { method, url, id, routeOptions }) => {
      span.updateName(routeOptions.url === undefined ? method : `${method} ${routeOptions.url}`)
      // As it was sent it may hold a token.
      span.setAttribute('url.path', pathOf({ url }))
      span.setAttribute('latchkey.request_id', id)
    },
  })
  new undici.UndiciInstrumentation({ requireParentforSpans: true })

  return {
    reportTo: (log) => {
      const warn = (message: string) => log.warn({ reason: message }, 'traces are being lost')
      const quiet = () => {}
      diag.setLogger(
        { error: warn, warn, info: quiet, debug: quiet, verbose: quiet },
        { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
      )
    },
    stop: () => provider.shutdown().catch(() => {}),
  }
}
