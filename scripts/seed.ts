import { parseArgs } from 'node:util'
import { seed } from './cli/seed.ts'
import { main } from './main.ts'

const usage = `Usage: npm run seed [-- --demo]
Makes sure that the administrator named by the environment exists; --demo adds the demo users (ENVIRONMENT=local only).`

await main(usage, async () => {
  const { values } = parseArgs({ options: { demo: { type: 'boolean', default: false } } })
  await seed(values)
  console.log('Seeded')
  return 0
})
