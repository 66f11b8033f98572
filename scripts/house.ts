import { checkHouse } from './house/check.ts'
import { main } from './main.ts'
import { root } from './run.ts'

await main('Usage: node scripts/house.ts', async () => {
  const { errors, warnings } = await checkHouse(root)
  for (const warning of warnings) console.log(`warning: ${warning}`)
  for (const error of errors) console.error(error)
  return errors.length > 0 ? 1 : 0
})
