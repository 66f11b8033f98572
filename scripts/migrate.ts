import { loadConfig, readEnvironment } from '../src/config.ts'
import { openMigrationDatabase } from '../src/database.ts'
import { main } from './main.ts'
import { runMigrate, usage, type WithDatabase } from './migrate/command.ts'

const withDatabase: WithDatabase = async (use) => {
  const database = await openMigrationDatabase(loadConfig(readEnvironment()))
  await use(database.db).finally(() => database.close())
}

await main(usage, async () => {
  await runMigrate(process.argv.slice(2), withDatabase, console.log)
  return 0
})
