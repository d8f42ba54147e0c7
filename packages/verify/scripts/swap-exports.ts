/**
 * Runs before and after `npm pack` and `npm publish`, which do not apply `publishConfig` as pnpm
 * does. The published package exports `dist`; in the workspace it exports `src`, without a build.
 *
 * Nothing is lost when packing is interrupted: the next `npm pack`, or `npm run postpack`, continues.
 */
import { readFileSync, writeFileSync } from 'node:fs'

/** npm runs scripts in the folder of their package. */
const file = 'package.json'
const manifest = JSON.parse(readFileSync(file, 'utf8'))
const { publishConfig } = manifest
const isWorkspace = 'exports' in publishConfig
const isPacking = process.env.npm_lifecycle_event === 'prepack'

if (isWorkspace && isPacking) {
  manifest.exports = publishConfig.exports
  delete publishConfig.exports
} else if (!isWorkspace && !isPacking) {
  publishConfig.exports = manifest.exports
  manifest.exports = Object.fromEntries(
    Object.entries<{ default?: string }>(manifest.exports).flatMap(([path, built]) =>
      built.default ? [[path, built.default.replace('dist', 'src').replace(/\.js$/, '.ts')]] : [],
    ),
  )
}
writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`)
