import { runService } from '@latchkey/service-kit'
import { orders } from './app.ts'

await runService(orders)
