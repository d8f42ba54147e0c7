import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import protobuf from 'protobufjs'
import type { Test } from 'tap'

/** A span as a collector receives it; IDs in hexadecimal. */
export interface Span {
  readonly service: string
  readonly instance: string
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId: string
  readonly name: string
  /** As `SPAN_KIND_SERVER`. */
  readonly kind: string
  readonly attributes: Readonly<Record<string, string>>
}

/** The part of opentelemetry-proto's messages that the tests read. */
const { root } = protobuf.parse(`
  syntax = "proto3";
  message Value { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; } }
  message KeyValue { string key = 1; Value value = 2; }
  message Resource { repeated KeyValue attributes = 1; }
  enum Kind { SPAN_KIND_UNSPECIFIED = 0; SPAN_KIND_INTERNAL = 1; SPAN_KIND_SERVER = 2; SPAN_KIND_CLIENT = 3; }
  message Span {
    bytes trace_id = 1; bytes span_id = 2; bytes parent_span_id = 4;
    string name = 5; Kind kind = 6; repeated KeyValue attributes = 9;
  }
  message ScopeSpans { repeated Span spans = 2; }
  message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; }
  message Request { repeated ResourceSpans resource_spans = 1; }
`)
const Request = root.lookupType('Request')

interface KeyValue {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: string }
}

/**
 * A stand-in for an OpenTelemetry collector: accepts OTLP over HTTP with protobuf bodies, and keeps
 * the spans.
 */
export async function startCollector(t: Test) {
  const spans: Span[] = []
  const server = createServer(async (request, response) => {
    const { method, url, headers } = request
    if (
      `${method} ${url} ${headers['content-type']}` !== 'POST /v1/traces application/x-protobuf'
    ) {
      return response.writeHead(400).end()
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    spans.push(...decode(Buffer.concat(chunks)))
    // An empty ExportTraceServiceResponse.
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = () => {
    server.closeAllConnections()
    server.close()
  }
  t.teardown(close)
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, spans, close }
}

function decode(body: Buffer): Span[] {
  const { resourceSpans } = Request.toObject(Request.decode(body), {
    enums: String,
    longs: String,
    arrays: true,
  })
  // biome-ignore lint/suspicious/noExplicitAny: shaped as the messages above
  return resourceSpans.flatMap(({ resource, scopeSpans }: any) => {
    const about = toRecord(resource.attributes)
    // biome-ignore lint/suspicious/noExplicitAny: as above
    return scopeSpans.flatMap(({ spans }: any) =>
      // biome-ignore lint/suspicious/noExplicitAny: as above
      spans.map(({ traceId, spanId, parentSpanId, name, kind, attributes }: any) => ({
        service: about['service.name'],
        instance: about['service.instance.id'],
        traceId: toHex(traceId),
        spanId: toHex(spanId),
        parentSpanId: toHex(parentSpanId),
        name,
        kind,
        attributes: toRecord(attributes),
      })),
    )
  })
}

const toHex = (bytes: Uint8Array = new Uint8Array()) => Buffer.from(bytes).toString('hex')

const toRecord = (pairs: readonly KeyValue[]): Record<string, string> =>
  Object.fromEntries(
    pairs.map(({ key, value: { stringValue, intValue } }) => [key, stringValue ?? intValue ?? '']),
  )
