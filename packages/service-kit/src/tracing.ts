import type { FastifyBaseLogger } from 'fastify'
import { pathOf } from './logging.ts'

export interface Tracing {
  /** Logs export failures to `log` from now on. */
  reportTo: (log: FastifyBaseLogger) => void
  /** Exports pending spans. Never throws, and waits no longer than one export may take. */
  stop: () => Promise<void>
}

/** Longest time of one export, in milliseconds: an unreachable collector must not delay a stop. */
const exportTimeoutMs = 2_000

/** Polled by machines about once a second: their spans would bury all others. */
const unobserved = new Set(['/livez', '/readyz', '/metrics', '/v1/revocations'])

/**
 * Traces every Fastify server created from now on, and its calls to other services, which receive
 * `traceparent` (W3C Trace Context). Exports the traces by OTLP over HTTP to
 * `OTEL_EXPORTER_OTLP_ENDPOINT`.
 *
 * OpenTelemetry's own variables set headers, sampling, the service's name and resource attributes.
 * Spans contain routes, paths and error messages, but no query string, header, body or stack. A
 * service without tracing loads none of these modules.
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
      // The full URL may contain a token.
      span.setAttribute('url.path', pathOf({ url }))
      span.setAttribute('latchkey.request_id', id)
    },
  })
  new undici.UndiciInstrumentation({ requireParentforSpans: true })

  return {
    reportTo: (log) => {
      const warn = (message: string) => log.warn({ reason: message }, 'traces cannot be exported')
      const quiet = () => {}
      diag.setLogger(
        { error: warn, warn, info: quiet, debug: quiet, verbose: quiet },
        { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
      )
    },
    stop: () => provider.shutdown().catch(() => {}),
  }
}
