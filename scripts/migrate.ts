import { loadConfig, readEnvironment } from '../src/config.ts'
import { appRole, openMigrationDatabase } from '../src/database.ts'
import { main } from './main.ts'
import { runMigrate, usage, type WithDatabase } from './migrate/command.ts'

const withDatabase: WithDatabase = async (use) => {
  const config = loadConfig(readEnvironment())
  const database = await openMigrationDatabase(config)
  await use(database.db, appRole(config)).finally(() => database.close())
}

await main(usage, async () => {
  await runMigrate(process.argv.slice(2), withDatabase, console.log)
  return 0
})
