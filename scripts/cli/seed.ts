import { randomBytes } from 'node:crypto'
import { seedDemo } from '../../db/seed.ts'
import { seedItems, seedUsers } from '../../db/seed-bulk.ts'
import { readConfig, withApp } from './context.ts'
import { progress } from './progress.ts'
import type { Terminal } from './prompt.ts'

export interface SeedOptions {
  demo: boolean
  users: number
  items: number
}

/**
 * Adds what the start of the service adds (the administrator of the environment), and on request the demo users, or
 * users and items in bulk.
 *
 * @throws outside `local`, for demo users: their passwords are known to everybody
 */
export async function seed({ demo, users, items }: SeedOptions, { output }: Terminal): Promise<void> {
  const config = readConfig()
  if (demo && config.ENVIRONMENT !== 'local') throw new Error('Demo users exist only with ENVIRONMENT=local')
  await withApp(async ({ db, database, passwords }) => {
    if (demo) await seedDemo(database.transaction, passwords.hash, config.DEFAULT_TIER)
    if (users > 0) {
      const passwordHash = await passwords.hash(randomBytes(24).toString('base64url'))
      const account = { passwordHash, role: config.DEFAULT_USER_ROLE, tier: config.DEFAULT_TIER }
      await seedUsers(db, users, account, progress(output, 'users', users))
    }
    if (items > 0) await seedItems(db, items, progress(output, 'items', items))
  }, config)
}
