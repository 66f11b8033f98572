import { apiKeysMigration } from '../../plugins/api-keys/migration.ts'

export const { up, down } = apiKeysMigration({ userReferences: 'users.id' })
