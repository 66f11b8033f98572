import { type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import type { OpenDatabase } from '../../../plugins/database/index.ts'

export type Notes = { notes: { id: number; text: string } }

/** Makes the table `notes` of one test, empty. */
export const notesOf = (database: OpenDatabase) =>
  async function withNotes(t: Test) {
    await sql`create table notes (id int primary key, text text not null default 'note')`.execute(database.db)
    t.teardown(() => sql`drop table notes`.execute(database.db))
    const db = database.db.withTables<Notes>()
    const ids = async () => (await db.selectFrom('notes').select('id').orderBy('id').execute()).map(({ id }) => id)
    const add = <DB>(to: Kysely<DB>, id: number) => sql`insert into notes values (${id})`.execute(to)
    return { db, ids, add }
  }
