export { type AuthenticationOptions, authentication, counted } from './authentication.ts'
export { ConfigError, loadConfig } from './config.ts'
export { type DatabaseOptions, database, inTransaction, type Queryable } from './database.ts'
export { keyring } from './keyring.ts'
export { NoContent, Problem, ProblemError } from './problem.ts'
export { runService } from './run.ts'
export { createServer, type ServerOptions, type Service } from './server.ts'
export {
  type ServiceConfig,
  serviceSettings,
  type VerifierConfig,
  verifierSettings,
} from './settings.ts'
export { Uuid } from './uuid.ts'
