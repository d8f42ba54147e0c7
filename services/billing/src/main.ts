import { runService } from '@latchkey/service-kit'
import { billing } from './app.ts'

await runService(billing)
