import { runService } from '@latchkey/service-kit'
import { auth } from './app.ts'

await runService(auth)
