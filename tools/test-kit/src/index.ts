export { createDatabase, type HasTeardown } from './database.ts'
export { startEmptyFeed } from './feed.ts'
export { type KeyFile, writeKeyFile } from './key-file.ts'
