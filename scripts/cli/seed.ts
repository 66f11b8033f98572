import { seedDemo } from '../../db/seed.ts'
import { readConfig, withApp } from './context.ts'

/**
 * Adds what the start of the service adds (the administrator of the environment), and on request the demo users.
 *
 * @throws outside `local`: the passwords of the demo users are known to everybody
 */
export async function seed({ demo }: { demo: boolean }): Promise<void> {
  const config = readConfig()
  if (demo && config.ENVIRONMENT !== 'local') throw new Error('Demo users exist only with ENVIRONMENT=local')
  await withApp(async ({ database, passwords }) => {
    if (demo) await seedDemo(database.transaction, passwords.hash)
  }, config)
}
