export { createDatabase, type HasTeardown } from './database.ts'
export { type KeyFile, writeKeyFile } from './key-file.ts'
