import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { configSchema } from '../src/config-schema.ts'
import { envExample, readmeTable, replaceBetween, type Variable } from './config-docs/render.ts'
import { main } from './main.ts'
import { root } from './run.ts'

const usage = `Usage: npm run config-docs [-- --check]
Writes .env.example and the table in README.md from the configuration schema; --check only tells whether they differ.`

await main(usage, async () => {
  const { values } = parseArgs({ options: { check: { type: 'boolean' } } })
  const plainSchema: Record<string, Variable> = JSON.parse(JSON.stringify(configSchema.properties))
  const variables = Object.entries(plainSchema)
  const readme = readIfThere('README.md')
  const wanted = {
    '.env.example': envExample(variables),
    'README.md': replaceBetween(readme, '<!-- config:start -->', '<!-- config:end -->', readmeTable(variables))
  }
  const stale = Object.entries(wanted).filter(([file, text]) => readIfThere(file) !== text)
  for (const [file, text] of stale) {
    if (values.check) console.error(`${file} does not match src/config-schema.ts; run: npm run config-docs`)
    else {
      writeFileSync(join(root, file), text)
      console.log(`${file} written`)
    }
  }
  return values.check && stale.length > 0 ? 1 : 0
})

function readIfThere(file: string): string {
  try {
    return readFileSync(join(root, file), 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
