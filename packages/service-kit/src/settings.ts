import { hostname } from 'node:os'
import { limits } from '@latchkey/verify'
import { type Static, Type } from 'typebox'

/** Said wherever the keyring is missing: there is no default secret. */
export const howToMakeKeys = 'make one with `latchkey keys generate --out <file>`'

/**
 * The settings every service has; a service spreads them into its own schema. Each may be given as
 * a file: `LATCHKEY_DATABASE_URL_FILE=/run/secrets/database_url`.
 */
export const serviceSettings = {
  /** Address to listen on. The default is reachable from this machine only; a container needs 0.0.0.0. */
  LATCHKEY_HOST: Type.String({ default: '127.0.0.1' }),
  /** Port to listen on; 0 takes any free one. */
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
   * Which peers may say in `X-Forwarded-For` whom they speak for: addresses or CIDR ranges separated
   * by commas. Unset, the header is ignored, so that no client can invent its address.
   */
  LATCHKEY_TRUST_PROXY: Type.Optional(Type.String({ minLength: 1 })),
  /** How long to answer on after SIGTERM while load balancers take the instance out, in seconds. */
  LATCHKEY_DRAIN_SECONDS: Type.Integer({ minimum: 0, maximum: 60, default: 0 }),
  /** The `iss` of every token, the same for all services of one Latchkey. */
  LATCHKEY_ISSUER: Type.String({ minLength: 1, maxLength: 200 }),
  /** Path of the keyring, a JWK Set file. */
  LATCHKEY_KEYS_FILE: Type.String({ minLength: 1, description: howToMakeKeys }),
  /** PostgreSQL connection URI of this service's own database. There is no safe default. */
  LATCHKEY_DATABASE_URL: Type.String({ pattern: '^postgres(ql)?://' }),
  /**
   * Whether to run the migrations at start, the default. Where a step of its own does it (`main.ts
   * migrate`), instances need not.
   */
  LATCHKEY_MIGRATE_ON_START: Type.Optional(Type.Boolean({ default: true })),
  /**
   * What stands between this service and PostgreSQL: `transaction` for PgBouncer in transaction mode,
   * which keeps neither prepared statements nor start-up parameters. Give the role its own
   * `statement_timeout` then, and migrate past it (`main.ts migrate`, with the server's own address).
   */
  LATCHKEY_DATABASE_POOLER: Type.Optional(Type.Enum(['none', 'transaction'], { default: 'none' })),
  /** Connections this instance may hold at most. */
  LATCHKEY_DATABASE_POOL_MAX: Type.Integer({ minimum: 1, maximum: 100, default: 10 }),
  /** Where traces go; unset or empty, none are taken. OpenTelemetry's own variables say the rest. */
  OTEL_EXPORTER_OTLP_ENDPOINT: Type.Optional(Type.String({ pattern: '^(https?://|$)' })),
  /** The one protocol spoken, which is also OpenTelemetry's default. */
  OTEL_EXPORTER_OTLP_PROTOCOL: Type.Optional(Type.Literal('http/protobuf')),
}

/** The settings of a service that verifies tokens, in addition to those every service has. */
export const verifierSettings = {
  /** Where the auth service answers; a path, as an edge gives each service one, is kept. */
  LATCHKEY_AUTH_URL: Type.String({ pattern: '^https?://' }),
  /** What to do while revocations are stale: go on with what is known, or answer 503. */
  LATCHKEY_REVOCATIONS_ON_STALE: Type.Enum(['allow', 'deny'], { default: 'allow' }),
  /** Revocations are stale when the last news are older, in seconds. */
  LATCHKEY_REVOCATIONS_MAX_STALE_SECONDS: Type.Integer({
    minimum: 1,
    maximum: 86_400,
    default: limits.defaultMaxStaleSeconds,
  }),
}

const settings = Type.Object(serviceSettings)
const settingsOfVerifier = Type.Object({ ...serviceSettings, ...verifierSettings })

/** The configuration every service has. */
export type ServiceConfig = Static<typeof settings>

/** The configuration of a service that verifies tokens. */
export type VerifierConfig = Static<typeof settingsOfVerifier>
