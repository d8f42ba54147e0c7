// `npm run docs`: writes the parts of the documentation that are generated from the code.
import { writeFileSync } from 'node:fs'
import { configurationPage, renderConfiguration } from './configuration.ts'
import { openapiFile, renderOpenapi } from './openapi.ts'

writeFileSync(configurationPage, renderConfiguration())
for (const [service, text] of await renderOpenapi()) writeFileSync(openapiFile(service), text)
