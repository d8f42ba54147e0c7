import { enableCompileCache } from 'node:module'
import { compileCache } from './processes/node.ts'

// Static imports would be compiled before this line runs.
enableCompileCache(compileCache)
await import('./cli.ts')
