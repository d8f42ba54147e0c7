import { hostname } from 'node:os'
import { limits } from '@latchkey/verify'
import { type Static, Type } from 'typebox'

/** Part of the error when the key file is missing or invalid. There is no default secret. */
export const howToMakeKeys = 'create a key file with `latchkey keys generate --out <file>`'

/**
 * The settings of every service. Each may be given as a file:
 * `LATCHKEY_DATABASE_URL_FILE=/run/secrets/database_url`.
 */
export const serviceSettings = {
  /** Address to listen on. By default only this machine reaches it; a container needs 0.0.0.0. */
  LATCHKEY_HOST: Type.String({ default: '127.0.0.1' }),
  /** Port to listen on; 0 picks a free one. */
  LATCHKEY_PORT: Type.Integer({ minimum: 0, maximum: 65_535, default: 3000 }),
  /** This instance's name in logs, metrics and the `x-served-by` header. */
  LATCHKEY_INSTANCE: Type.String({
    minLength: 1,
    maxLength: limits.maxInstanceLength,
    default: hostname(),
  }),
  LATCHKEY_LOG_LEVEL: Type.Enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'], {
    default: 'info',
  }),
  /**
   * Proxies whose `X-Forwarded-For` is trusted: addresses or CIDR ranges separated by commas. When
   * unset, the header is ignored, so that no client can forge its address.
   */
  LATCHKEY_TRUST_PROXY: Type.Optional(Type.String({ minLength: 1 })),
  /** Time to keep answering after SIGTERM while load balancers remove the instance, in seconds. */
  LATCHKEY_DRAIN_SECONDS: Type.Integer({ minimum: 0, maximum: 60, default: 0 }),
  /** The `iss` of every token. All services of one installation have the same. */
  LATCHKEY_ISSUER: Type.String({ minLength: 1, maxLength: 200 }),
  /** Path of the key file, a JWK Set. */
  LATCHKEY_KEYS_FILE: Type.String({ minLength: 1, description: howToMakeKeys }),
  /** PostgreSQL connection URI of this service's own database. There is no safe default. */
  LATCHKEY_DATABASE_URL: Type.String({ pattern: '^postgres(ql)?://' }),
  /**
   * Whether to run the migrations at start. Set it to false if a separate step runs them (`main.ts
   * migrate`).
   */
  LATCHKEY_MIGRATE_ON_START: Type.Optional(Type.Boolean({ default: true })),
  /**
   * The pooler between this service and PostgreSQL: `transaction` for PgBouncer in transaction
   * mode, which keeps neither prepared statements nor start-up parameters. Then set
   * `statement_timeout` on the role, and run the migrations on a direct connection
   * (`main.ts migrate`, with the server's own address).
   */
  LATCHKEY_DATABASE_POOLER: Type.Optional(Type.Enum(['none', 'transaction'], { default: 'none' })),
  /** Maximum database connections of this instance. */
  LATCHKEY_DATABASE_POOL_MAX: Type.Integer({ minimum: 1, maximum: 100, default: 10 }),
  /** OTLP endpoint for traces; without it, tracing is off. OpenTelemetry's variables also apply. */
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(Type.String({ pattern: '^(https?://|$)' })),
  /** The only protocol supported; it is also OpenTelemetry's default. */
  OTEL_EXPORTER_OTLP_PROTOCOL: Type.Optional(Type.Literal('http/protobuf')),
}

/** The settings of a service that verifies tokens, in addition to those every service has. */
export const verifierSettings = {
  /** URL of the auth service. It may contain a path: an edge gives each service its own. */
  LATCHKEY_AUTH_URL: Type.String({ pattern: '^https?://' }),
  /** While revocations are stale: verify with those known (`allow`), or answer 503 (`deny`). */
  LATCHKEY_REVOCATIONS_ON_STALE: Type.Enum(['allow', 'deny'], { default: 'allow' }),
  /** Age above which revocations are stale, in seconds. */
  LATCHKEY_REVOCATIONS_MAX_STALE_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 86_400,
    default: limits.defaultMaxStaleSeconds,
  }),
}

const settings = Type.Object(serviceSettings)
const settingsOfVerifier = Type.Object({ ...serviceSettings, ...verifierSettings })

/** The configuration of every service. */
export type ServiceConfig = Static<typeof settings>

/** The configuration of a service that verifies tokens. */
export type VerifierConfig = Static<typeof settingsOfVerifier>
