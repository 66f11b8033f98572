import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { migrateUp } from '../db/migrate.ts'
import { openMemoryDatabase } from '../src/database.ts'
import { main } from './main.ts'
import { root } from './run.ts'
import { readSchema } from './schema-docs/read.ts'
import { renderSchema } from './schema-docs/render.ts'

const usage = `Usage: npm run schema-docs [-- --check]
Writes docs/schema.md, a diagram of the tables, from the migrations; --check only tells whether it differs.`

await main(usage, async () => {
  const { values } = parseArgs({ options: { check: { type: 'boolean' } } })
  const file = join(root, 'docs/schema.md')
  const database = await openMemoryDatabase()
  await migrateUp(database.db)
  const rendered = renderSchema(await readSchema(database.db).finally(() => database.close()))
  if (!values.check) {
    writeFileSync(file, rendered)
    return 0
  }
  if (readFileSync(file, 'utf8') === rendered) return 0
  console.error('docs/schema.md does not match the migrations; run: npm run schema-docs')
  return 1
})
