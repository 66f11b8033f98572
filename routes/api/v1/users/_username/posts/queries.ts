import type { Kysely } from 'kysely'
import { compiled } from '../../../../../../db/compiled.ts'
import { crud } from '../../../../../../db/crud.ts'
import { pageList } from '../../../../../../db/page-list.ts'
import type { Database } from '../../../../../../db/types.ts'

export const posts = crud('posts', { softDelete: true })
const users = crud('users', { softDelete: true })

/** The version is for the ETag; it is in no schema and so in no answer. */
export const columns = [
  'posts.public_id as id',
  'posts.title',
  'posts.text',
  'posts.media_url',
  'posts.created_at',
  'posts.updated_at',
  'posts.row_version'
] as const

/** The internal key of the user behind a username, if there is one. */
export async function findAuthor(db: Kysely<Database>, username: string): Promise<number | undefined> {
  return (await users.get(db, { username }, ['id']))?.id
}

/** What an author published, newest first. */
export const listPosts = pageList(
  (db: Kysely<Database>, { owner_id }: { owner_id: number }) => posts.query(db, { owner_id }).select(columns),
  [['posts.id', 'desc']]
)

/** A post under the name of its author, and under no other. */
export const findPost = compiled(
  (db: Kysely<Database>, { id, username }: { id: string; username: string }) =>
    posts
      .query(db, { public_id: id })
      .innerJoin('users', 'users.id', 'posts.owner_id')
      .select(columns)
      .where('users.username', '=', username)
      .where('users.deleted_at', 'is', null),
  { shortRead: true }
)
