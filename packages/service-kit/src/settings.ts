import { hostname } from 'node:os'
import { limits } from '@latchkey/verify'
import { type Static, Type } from 'typebox'

/** Part of the error when the key file is missing or invalid. No secret has a default. */
export const howToMakeKeys = 'create a key file with `latchkey keys generate --out <file>`'

/**
 * The settings of every service. The descriptions are printed by `--help` and generate
 * docs/configuration.md. Each setting may be given as a file:
 * `LATCHKEY_DATABASE_URL_FILE=/run/secrets/database_url`.
 */
export const serviceSettings = {
  LATCHKEY_HOST: Type.String({
    default: '127.0.0.1',
    description:
      'Address to listen on. By default only this machine reaches it. A container needs ' +
      '`0.0.0.0`, or `::` if it has only IPv6 addresses.',
  }),
  LATCHKEY_PORT: Type.Integer({
    minimum: 0,
    maximum: 65_535,
    default: 3000,
    description: 'Port to listen on. `0` picks a free one.',
  }),
  LATCHKEY_INSTANCE: Type.String({
    format: 'name',
    maxLength: limits.maxInstanceLength,
    default: hostname(),
    description: "This instance's name in logs, metrics, traces and its reports to auth.",
  }),
  LATCHKEY_SERVED_BY_HEADER: Type.Optional(
    Type.Boolean({
      default: false,
      description: "Whether every response has the instance's name in `x-served-by`.",
    }),
  ),
  LATCHKEY_LOG_LEVEL: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    default: 'info',
    description: 'The least important log lines that are written.',
  }),
  LATCHKEY_TRUST_PROXY: Type.Optional(
    Type.String({
      format: 'proxies',
      description:
        'Proxies whose `X-Forwarded-For` is trusted. When unset, the header is ignored, so ' +
        'that no client can forge its address. Use a number of hops only if clients can reach ' +
        'the service through exactly that many proxies.',
    }),
  ),
  LATCHKEY_CORS_ORIGINS: Type.Optional(
    Type.String({
      format: 'origins',
      description:
        'Origins of browser apps that may call this service from their pages (CORS): each as browsers send it, without a path. When unset, no other origin may.',
    }),
  ),
  LATCHKEY_DRAIN_SECONDS: Type.Integer({
    minimum: 0,
    maximum: 60,
    default: 0,
    description:
      'Time to keep answering after SIGTERM while load balancers remove the instance, in seconds.',
  }),
  LATCHKEY_ISSUER: Type.String({
    format: 'url',
    maxLength: 200,
    description:
      'The `iss` of every token: the public URL of auth. All services of one installation have ' +
      'the same.',
  }),
  LATCHKEY_KEYS_FILE: Type.String({
    description: `Path of the key file, a JWK Set: ${howToMakeKeys}.`,
  }),
  LATCHKEY_DATABASE_URL: Type.String({
    format: 'database-url',
    description:
      "URL of this service's own PostgreSQL database: " +
      '`postgres://user:password@host:5432/database`. Percent-encode special characters of the ' +
      'password. `?sslmode=verify-full` encrypts the connection and checks the certificate and ' +
      'the host name; `require`, `prefer` and `verify-ca` do the same, unlike in libpq; ' +
      '`no-verify` encrypts without a check. Without `sslmode` or the variable `PGSSLMODE` the ' +
      'connection is not encrypted. A file is read again for every new connection, so that a ' +
      'rotated password needs no restart.',
  }),
  LATCHKEY_MIGRATE_ON_START: Type.Optional(
    Type.Boolean({
      default: true,
      description:
        'Whether to run the migrations at start. If it is false, run `main.ts migrate` before; ' +
        'until then the service is not ready.',
    }),
  ),
  LATCHKEY_DATABASE_POOLER: Type.Optional(
    Type.Enum(['none', 'transaction'], {
      default: 'none',
      description:
        'The pooler between this service and PostgreSQL: `transaction` for PgBouncer in ' +
        'transaction mode, which keeps neither prepared statements nor start-up parameters. ' +
        'Then set `statement_timeout` and `idle_in_transaction_session_timeout` (4 s here) on the role, and run `main.ts migrate` with a URL that ' +
        'bypasses the pooler.',
    }),
  ),
  LATCHKEY_DATABASE_POOL_MAX: Type.Integer({
    minimum: 1,
    maximum: 100,
    default: 10,
    description:
      'Maximum database connections of this instance. Auth keeps one of them for refreshes.',
  }),
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(
    Type.String({
      format: 'url',
      description:
        "OTLP endpoint for traces. When unset, tracing is off. OpenTelemetry's other variables " +
        'also apply.',
    }),
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: Type.Optional(
    Type.Literal('http/protobuf', {
      description: "The only protocol supported; it is also OpenTelemetry's default.",
    }),
  ),
}

/** The settings of a service that verifies tokens, in addition to those every service has. */
export const verifierSettings = {
  LATCHKEY_AUTH_URL: Type.String({
    format: 'url',
    description:
      'URL of the auth service. It may contain a path: an edge gives each service its own.',
  }),
  LATCHKEY_BASE_URL: Type.Optional(
    Type.String({
      format: 'url',
      description:
        "Public URL of this service's pages. It turns on sign-in for browsers: register the client " +
        'with `<url>/auth/callback` as its redirect URI. When unset, the service has only its API.',
    }),
  ),
  LATCHKEY_REVOCATIONS_ON_STALE: Type.Enum(['allow', 'deny'], {
    default: 'allow',
    description:
      'While revocations are stale: verify with those known (`allow`), or answer 503 (`deny`).',
  }),
  LATCHKEY_REVOCATIONS_MAX_STALE_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 86_400,
    default: limits.defaultMaxStaleSeconds,
    description: 'Age above which revocations are stale, in seconds.',
  }),
}

const settings = Type.Object(serviceSettings)
const settingsOfVerifier = Type.Object({ ...serviceSettings, ...verifierSettings })

/** The configuration of every service. */
export type ServiceConfig = Static<typeof settings>

/** The configuration of a service that verifies tokens. */
export type VerifierConfig = Static<typeof settingsOfVerifier>
