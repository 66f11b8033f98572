import { type Kysely, type Selectable, type SqlBool, sql, type Transaction } from 'kysely'
import { compiled } from '../../../../db/compiled.ts'
import { crud } from '../../../../db/crud.ts'
import { list } from '../../../../db/list.ts'
import { pageList } from '../../../../db/page-list.ts'
import type { Database, ItemStatus } from '../../../../db/types.ts'

export const items = crud('items', { softDelete: false })

/** With the owner's key, which `seenBy` takes out again. */
export const columns = [
  'items.public_id as id',
  'items.title',
  'items.description',
  'items.status',
  'items.owner_id',
  'items.created_at',
  'items.updated_at'
] as const

type Row = Omit<Selectable<Database['items']>, 'id' | 'public_id' | 'row_version'> & { id: string }

/** The item as the caller may see it: the signed-in learn whether it is theirs. Field by field, which is the cheapest copy. */
export const seenBy =
  (caller: { user_id: number } | null) =>
  ({ owner_id, id, title, description, status, created_at, updated_at }: Row) => {
    const item = { id, title, description, status, created_at, updated_at }
    return caller === null ? item : { ...item, is_owner: owner_id === caller.user_id }
  }

/** Drafts are visible to their owner only; `viewer` is null for the anonymous. */
export const findItem = compiled(
  (db: Kysely<Database>, { id, viewer }: { id: string; viewer: number | null }) =>
    items
      .query(db, { public_id: id })
      .select(columns)
      .where((eb) => eb.or([eb('status', '<>', 'draft'), eb('owner_id', '=', viewer)])),
  { shortRead: true }
)

/** An own item, which nobody else changes until the transaction ends. */
export const lockItem = (trx: Transaction<Database>, own: { public_id: string; owner_id: number }) =>
  items.query(trx, own).select(columns).forNoKeyUpdate('items').executeTakeFirst()

const inOrder = (column: 'items.created_at' | 'items.title', direction: 'asc' | 'desc') => {
  const order = [
    [column, direction],
    ['items.id', direction]
  ] as const
  const select = (db: Kysely<Database>, { status }: { status: 'active' | 'archived' }) =>
    items.query(db, { status }).select(columns)
  return list('items', select, order)
}

/** The public list in each order that may be asked for; each has an index. */
export const listItems = {
  '-created_at': inOrder('items.created_at', 'desc'),
  created_at: inOrder('items.created_at', 'asc'),
  '-title': inOrder('items.title', 'desc'),
  title: inOrder('items.title', 'asc')
}

/** The owner's items, newest first; all of them when `status` is null. */
export const listOwnItems = pageList(
  (db: Kysely<Database>, { owner_id, status }: { owner_id: number; status: ItemStatus | null }) =>
    items.query(db, { owner_id }).select(columns).where(sql<SqlBool>`(${status}::text is null or status = ${status})`),
  [['items.id', 'desc']]
)

const newestFirst = [
  ['items.created_at', 'desc'],
  ['items.id', 'desc']
] as const
const matches = ({ pattern }: { pattern: string }) =>
  sql<SqlBool>`(items.title ilike ${pattern} or items.description ilike ${pattern})`

/** Active items with the text of `pattern`, newest first. How common the text is decides between two good plans. */
export const searchItems = pageList(
  (db: Kysely<Database>, values: { pattern: string }) =>
    items.query(db, { status: 'active' }).select(columns).where(matches(values)),
  newestFirst,
  { maxRows: 1000, replan: true }
)

/** The same among the newest 10 000 only: for text without three letters or digits in a row the index is of no use. */
export const searchNewestItems = pageList(
  (db: Kysely<Database>, values: { pattern: string }) =>
    db
      .selectFrom(
        items
          .query(db, { status: 'active' })
          .selectAll()
          .orderBy('created_at', 'desc')
          .orderBy('id', 'desc')
          .limit(10_000)
          .as('items')
      )
      .select(columns)
      .where(matches(values)),
  newestFirst,
  { maxRows: 1000 }
)

/** Moves an item of the owner's to another status, if it is in one of those it may be moved from. */
export const moveItem = (
  trx: Transaction<Database>,
  { public_id, owner_id }: { public_id: string; owner_id: number },
  from: ItemStatus[],
  status: ItemStatus
) =>
  items.update(
    trx,
    (eb) => eb.and([eb('public_id', '=', public_id), eb('owner_id', '=', owner_id), eb('status', 'in', from)]),
    { status },
    columns
  )
