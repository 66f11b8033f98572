import { findUserByIdentifier, holdLiveUser } from '../../db/users.ts'
import { UsageError } from '../main.ts'
import { withApp } from './context.ts'

export interface CreateApiKeyOptions {
  username?: string | undefined
  name?: string | undefined
  days?: string | undefined
  scopes?: string | undefined
}

/**
 * Creates an API key for a user, by default with all their permissions.
 *
 * @throws when there is no such active user, or they lack a permission of `scopes`
 */
export async function createApiKey({ username, name, days, scopes }: CreateApiKeyOptions) {
  if (username === undefined) throw new UsageError('--username is needed')
  if (days !== undefined && !/^[1-9]\d{0,4}$/.test(days)) throw new UsageError('--days takes a whole number from 1')
  if (name !== undefined && name.length > 100) throw new UsageError('--name has 100 characters at most')

  return withApp(async ({ apiKeys, audit, database, db }) => {
    const owner = await findUserByIdentifier(db, username)
    if (!owner?.is_active) throw new Error(`There is no active user ${username}`)
    const wanted = scopes?.split(',').map((scope) => scope.trim()) ?? owner.permissions
    const missing = wanted.filter((scope) => !owner.permissions.includes(scope))
    if (missing.length > 0) throw new Error(`${username} lacks ${missing.join(', ')}`)

    const { text, ...key } = await database.transaction(async (trx) => {
      if (!(await holdLiveUser(trx, owner.user_id))) throw new Error(`There is no active user ${username}`)
      const fields = { user_id: owner.user_id, name: name ?? null, scopes: wanted }
      const created = await apiKeys.create(trx, { ...fields, ...(days && { days: Number(days) }) }).catch((error) => {
        throw error instanceof RangeError ? new UsageError(`--days: ${error.message}`) : error
      })
      const made = { name: created.name, scopes: wanted, expires_at: created.expires_at }
      const difference = audit.difference({}, made, ['name', 'scopes', 'expires_at'])
      const details = { user_id: owner.id, made_by: 'command line', ...difference }
      await audit.record(trx, { action: 'api_key.created', target_type: 'api_key', target_id: created.id, details })
      return created
    })
    return { api_key: text, ...key }
  })
}
