import { migrateUp } from '../../db/migrate.ts'
import { findTier, insertTier } from '../../db/tiers.ts'
import { appRole, openMigrationDatabase } from '../../src/database.ts'
import { cleanUp } from '../../src/jobs/cleanup.ts'
import { UsageError } from '../main.ts'
import { readConfig, withApp } from './context.ts'
import { createApiKey } from './create-api-key.ts'
import { createUser } from './create-user.ts'
import type { OptionName, Values } from './options.ts'
import type { Terminal } from './prompt.ts'
import { listUsers } from './queries.ts'
import { rotateKeys } from './rotate-keys.ts'
import { seed } from './seed.ts'

export interface Command {
  summary: string
  options: OptionName[]
  /** Resolves with what `--json` prints, and the same for people. */
  run(values: Values, terminal: Terminal): Promise<{ data: object; text: string }>
}

export const commands: Record<string, Command> = {
  'init-db': {
    summary: 'Migrate the database and seed it',
    options: ['demo'],
    run: async ({ demo = false }, terminal) => {
      const migrations = await migrate()
      await seed({ demo, users: 0, items: 0 }, terminal)
      return { data: { migrations, demo }, text: `${migrations.length} migration(s) done, seeded` }
    }
  },
  seed: {
    summary: 'Make sure that the administrator of the environment exists; on request add demo users, or rows in bulk',
    options: ['demo', 'users', 'items'],
    run: async ({ demo = false, users = '0', items = '0' }, terminal) => {
      const data = { demo, users: wholeNumber('users', users, 0), items: wholeNumber('items', items, 0) }
      await seed(data, terminal)
      return { data, text: 'Seeded' }
    }
  },
  'create-superuser': {
    summary: 'Create an administrator',
    options: ['email', 'username', 'name', 'password-stdin'],
    run: async (values, terminal) => {
      const data = await createUser(values, 'admin', terminal)
      return { data, text: `Administrator ${data.username} created` }
    }
  },
  'create-user': {
    summary: 'Create a user',
    options: ['email', 'username', 'name', 'password-stdin', 'admin'],
    run: async (values, terminal) => {
      const data = await createUser(values, values.admin ? 'admin' : 'user', terminal)
      return { data, text: `User ${data.username} created` }
    }
  },
  'create-tier': {
    summary: 'Create a tier, whose rate limits the API sets',
    options: ['name'],
    run: async ({ name = '' }) => {
      if (!/^[a-z][a-z0-9_-]{0,49}$/.test(name))
        throw new UsageError('--name takes a–z, 0–9, "_" and "-", a letter first')
      const tier = await withApp(({ database }) =>
        database.transaction(async (trx) => {
          if (await findTier(trx, name)) throw new Error(`There is a tier ${name} already`)
          return insertTier(trx, name)
        })
      )
      return { data: tier, text: `Tier ${tier.name} created` }
    }
  },
  'list-users': {
    summary: 'List the users, the oldest first',
    options: ['limit'],
    run: async ({ limit = '100' }) => {
      const most = wholeNumber('limit', limit, 1)
      const data = await withApp(({ db }) => listUsers(db, most))
      const lines = data.map(({ id, username, email, is_active, roles }) =>
        [id, username.padEnd(30), email, roles.join(), is_active ? '' : 'inactive'].join('  ').trimEnd()
      )
      return { data, text: lines.join('\n') || 'No users' }
    }
  },
  'create-api-key': {
    summary: 'Create an API key for a user; it is shown this once',
    options: ['username', 'name', 'days', 'scopes'],
    run: async (values) => {
      const data = await createApiKey(values)
      return { data, text: data.api_key }
    }
  },
  cleanup: {
    summary: 'Delete dead sessions and API keys, old audit events and changes that every process has read',
    options: [],
    run: async () => {
      const data = await withApp(cleanUp)
      const counts = Object.entries(data).map(([what, count]) => `${count} ${what.replace('_', ' ')}`)
      return { data, text: `Deleted ${counts.join(', ')}` }
    }
  },
  'rotate-keys': {
    summary: 'Put a new key in front of JWT_KEYS, which then signs; the others go on verifying',
    options: ['app-keys', 'algorithm', 'stage', 'promote', 'prune'],
    run: async (values, terminal) => {
      const { data, text, explanation } = rotateKeys(values)
      terminal.output.write(`${explanation}\n`)
      return { data, text }
    }
  }
}

async function migrate(): Promise<string[]> {
  const config = readConfig()
  const database = await openMigrationDatabase(config)
  return migrateUp(database.db, { appRole: appRole(config) }).finally(() => database.close())
}

function wholeNumber(option: OptionName, text: string, least: number): number {
  const value = /^\d{1,8}$/.test(text) ? Number(text) : -1
  if (value < least) throw new UsageError(`--${option} takes a whole number from ${least} to 99999999`)
  return value
}
