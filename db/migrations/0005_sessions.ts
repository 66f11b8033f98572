import { sessionsMigration } from '../../plugins/sessions/migration.ts'

export const { up, down } = sessionsMigration({ userReferences: 'users.id' })
