export type { WebOptions } from './options.ts'
export { web, web as default } from './web.ts'
