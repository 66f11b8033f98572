import {
  type Compilable,
  type Expression,
  expressionBuilder,
  type RawBuilder,
  type SelectQueryBuilder,
  type SqlBool,
  sql
} from 'kysely'
import type { Crud, TableName, TableOptions } from './crud-types.ts'
import type { SortOrder } from './cursor-list.ts'
import { type Fields, type Loose, type LooseTables, shapes } from './shapes.ts'

export type { Crud, TableOptions, Where } from './crud-types.ts'

type Deleted = 'hidden' | 'shown' | 'only'
type Condition = Fields | ((eb: typeof expressions) => Expression<SqlBool>)
type LooseQuery = SelectQueryBuilder<LooseTables, string, object>
type Selected = string[] | ((query: LooseQuery) => Compilable<Fields>)

const expressions = expressionBuilder<LooseTables, string>()

interface Options {
  limit: number
  order?: SortOrder
}

/**
 * The usual reads and writes of one table, for what needs no SQL of its own. Only the named columns are read, softly
 * deleted rows are hidden, and each shape of a query is built once.
 *
 * @example
 * const notes = crud('notes', { softDelete: true })
 * await notes.get(db, { public_id: id, owner_id }, ['public_id as id', 'title'])
 * await notes.getMany(db, (eb) => eb('notes.pages', '>', 9), (query) =>
 *   query.innerJoin('users', 'users.id', 'notes.owner_id').select(['notes.title', 'users.username']), { limit: 10 })
 */
export function crud<T extends TableName>(name: T, { softDelete }: TableOptions<T>): Crud<T> {
  const table: string = name
  const run = shapes()
  const deletedAt = `${table}.deleted_at`

  function matching(where: Condition, deleted: Deleted = 'hidden'): Expression<SqlBool> {
    const own = typeof where === 'function' ? where(expressions) : expressions.and(Object.entries(where).map(isEqual))
    if (!softDelete || deleted === 'shown') return own
    return expressions.and([own, expressions(deletedAt, deleted === 'hidden' ? 'is' : 'is not', null)])
  }

  function isEqual([column, value]: [string, unknown]): Expression<SqlBool> {
    if (value === undefined) throw new TypeError(`The condition on ${column} has no value`)
    const reference = `${table}.${column}` as const
    if (Array.isArray(value)) return expressions(reference, '=', sql`any(${value})`)
    return value === null ? expressions(reference, 'is', null) : expressions(reference, '=', sql.val(value))
  }

  /** @throws {TypeError} when it would be every row */
  function narrowed(where: Condition): Condition {
    if (Object.keys(where).length === 0 && typeof where !== 'function') throw new TypeError(`${table}: every row?`)
    return where
  }

  const query = (db: Loose, where: Condition, deleted?: Deleted): LooseQuery =>
    db.selectFrom(table).where(matching(where, deleted))

  const mark = async (db: Loose, where: Condition, deleted: Deleted, deleted_at: RawBuilder<unknown>) => {
    const { numUpdatedRows } = await db
      .updateTable(table)
      .set({ deleted_at })
      .where(matching(narrowed(where), deleted))
      .executeTakeFirst()
    return Number(numUpdatedRows)
  }

  const loose = {
    query,

    async get(db: Loose, where: Condition, selected: Selected) {
      const build = (db: Loose, where: Condition) => select(query(db, where).limit(1), selected)
      const [row] = await run(db, nameOf('get', selected), [where], build, { shortRead: hasKey(where) })
      return row
    },

    getMany(db: Loose, where: Condition, selected: Selected, { limit, order = [] }: Options) {
      return run(db, nameOf(`list ${order}`, selected), [where, { limit }], (db, where, { limit }) => {
        const rows = query(db, where).limit(limit)
        return select(
          order.reduce((rows, [column, direction]) => rows.orderBy(column, direction), rows),
          selected
        )
      })
    },

    async exists(db: Loose, where: Condition) {
      const build = (db: Loose, where: Condition) => query(db, where).select(sql.lit(1).as('one')).limit(1)
      return (await run(db, 'exists', [where], build, { shortRead: hasKey(where) })).length > 0
    },

    async count(db: Loose, where: Condition, max?: number) {
      const rows = query(db, where).select(sql.lit(1).as('one'))
      const { count } = await db
        .selectFrom((max === undefined ? rows : rows.limit(max)).as('counted'))
        .select(sql<number>`count(*)`.as('count'))
        .executeTakeFirstOrThrow()
      return count
    },

    async create(db: Loose, values: Fields, columns: string[]) {
      const build = (db: Loose, values: Fields) => db.insertInto(table).values(values).returning(columns)
      const [row] = await run(db, nameOf('create', columns), [defined(values)], build)
      return row
    },

    async update(db: Loose, where: Condition, changes: Fields, columns: string[]) {
      const build = (db: Loose, where: Condition, changes: Fields) =>
        db.updateTable(table).set(changes).where(matching(where)).returning(columns)
      const [row] = await run(db, nameOf('update', columns), [narrowed(where), defined(changes)], build)
      return row
    },

    delete: (db: Loose, where: Condition) => mark(db, where, 'hidden', sql`now()`),

    restore: (db: Loose, where: Condition) => mark(db, where, 'only', sql`null`),

    async hardDelete(db: Loose, where: Condition) {
      const { numDeletedRows } = await db
        .deleteFrom(table)
        .where(matching(narrowed(where), 'shown'))
        .executeTakeFirst()
      return Number(numDeletedRows)
    }
  }
  // Inside, the table is any table: that spares each line a proof the compiler cannot follow. Outside it is this one.
  return loose as unknown as Crud<T>
}

const select = (query: LooseQuery, selected: Selected) =>
  typeof selected === 'function' ? selected(query) : query.select(selected)

/** As everywhere in Kysely, `undefined` is as good as absent in what is written. */
const defined = (fields: Fields): Fields =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** What a callback selects has no name: it may differ at each call. */
const nameOf = (operation: string, selected: Selected) =>
  typeof selected === 'function' ? undefined : `${operation} ${selected}`

/** A look-up by key reads one row. */
const hasKey = (where: Condition) => typeof where !== 'function' && ('id' in where || 'public_id' in where)
