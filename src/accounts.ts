import type { FastifyInstance } from 'fastify'
import { ensureAccount, seedDemo } from '../db/seed.ts'
import { findTier } from '../db/tiers.ts'
import { findUserByIdentifier } from '../db/users.ts'
import type { Config } from './config.ts'
import { StartFailure } from './start-failure.ts'

/**
 * The accounts that exist once the service is ready: the administrator named by the environment, and the demo users —
 * these only in `local` on embedded storage, so that a real database never gets known passwords by omission.
 */
export async function prepareAccounts(app: FastifyInstance, config: Config): Promise<void> {
  await requireDefaultRole(app, config.DEFAULT_USER_ROLE)
  if ((await findTier(app.db, config.DEFAULT_TIER)) === undefined) {
    throw new StartFailure(`DEFAULT_TIER: there is no tier ${config.DEFAULT_TIER}`)
  }
  const { ADMIN_EMAIL: email, ADMIN_USERNAME: username, ADMIN_PASSWORD: password } = config
  if (email && username && password) {
    const problem = app.passwords.problem(password, { email, username })
    if (problem) throw new StartFailure(`ADMIN_PASSWORD: ${problem}`)
    const created = await ensureAccount(app.database.transaction, app.passwords.hash, {
      email,
      username,
      name: null,
      password,
      role: 'admin',
      tier: config.DEFAULT_TIER
    })
    if (created) app.log.info({ username }, 'first administrator created')
    else if (!(await findUserByIdentifier(app.db, email))?.is_admin) {
      app.log.warn('ADMIN_EMAIL or ADMIN_USERNAME belongs to an account that is no administrator; it is left as it is')
    }
  }
  if (hasDemoUsers(config)) await seedDemo(app.database.transaction, app.passwords.hash, config.DEFAULT_TIER)
}

/** Whether this configuration seeds demo users without being asked. */
export const hasDemoUsers = (config: Config) => config.ENVIRONMENT === 'local' && config.DATABASE_URL === undefined

/** A service whose registration must fail, or makes administrators, does not start. */
async function requireDefaultRole(app: FastifyInstance, name: string): Promise<void> {
  const role = await app.db.selectFrom('roles').selectAll().where('name', '=', name).executeTakeFirst()
  if (role === undefined) throw new StartFailure(`DEFAULT_USER_ROLE: there is no role ${name}`)
  if (role.is_admin || !role.is_active)
    throw new StartFailure(`DEFAULT_USER_ROLE: ${name} is inactive or for administrators`)
}
