// Runs the tap command in this process and reports each test file to the runner as soon as it ends;
// tap's own output lists parallel files in the order in which they started.
import { t } from 'tap'
import { describeFile, type TestFile } from './report.ts'
import { tapCommand } from './tap-build.ts'

t.on('subtestEnd', (file) => process.send?.({ file: describeFile(file as unknown as TestFile) }))
await import(tapCommand)
