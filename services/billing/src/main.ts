import { runService } from '@latchkey/service-kit'
import { buildApp } from './app.ts'
import { settings } from './config.ts'

await runService({
  name: 'billing',
  settings,
  migrations: new URL('../migrations/', import.meta.url),
  build: buildApp,
})
