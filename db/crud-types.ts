import type {
  Compilable,
  Expression,
  ExpressionBuilder,
  InsertObject,
  Kysely,
  SelectExpression,
  Selection,
  SelectQueryBuilder,
  SelectType,
  Simplify,
  SqlBool,
  Transaction,
  UpdateObject
} from 'kysely'
import type { SortColumn, SortOrder } from './cursor-list.ts'
import type { Database } from './types.ts'

export type TableName = keyof Database
type SoftDeletable = { [T in TableName]: 'deleted_at' extends keyof Database[T] ? T : never }[TableName]

export interface TableOptions<T extends TableName> {
  /** Whether the table has `deleted_at`, behind which rows are hidden. */
  softDelete: T extends SoftDeletable ? true : false
}

/** Which rows: columns with the values they must have (`null`: is null, an array: one of these), or any condition of Kysely. */
export type Where<T extends TableName> =
  | { readonly [C in keyof Database[T]]?: SelectType<Database[T][C]> | readonly SelectType<Database[T][C]>[] }
  | ((eb: ExpressionBuilder<Database, T>) => Expression<SqlBool>)

/** A column as it is, or under another name: `public_id as id`. */
type Column<T extends TableName> = SelectExpression<Database, T> & string
type Row<T extends TableName, C> = Simplify<Selection<Database, T, C>>
/** Joins to the rows what it wants and selects from all. */
type Join<T extends TableName, R> = (query: SelectQueryBuilder<Database, T, object>) => Compilable<R>

export interface ListOptions<T extends TableName> {
  limit: number
  order?: SortOrder<SortColumn<Database, T>>
}

type Db = Kysely<Database>
type Trx = Transaction<Database>

interface Reads<T extends TableName> {
  /** The rows as an unfinished Kysely query, to select from, join and restrict further. Softly deleted ones: `hidden`. */
  query(
    db: Db,
    where: Where<T>,
    deleted?: T extends SoftDeletable ? 'hidden' | 'shown' | 'only' : never
  ): SelectQueryBuilder<Database, T, object>
  get<C extends Column<T>>(db: Db, where: Where<T>, columns: readonly C[]): Promise<Row<T, C> | undefined>
  get<R>(db: Db, where: Where<T>, join: Join<T, R>): Promise<R | undefined>
  getMany<C extends Column<T>>(
    db: Db,
    where: Where<T>,
    columns: readonly C[],
    options: ListOptions<T>
  ): Promise<Row<T, C>[]>
  getMany<R>(db: Db, where: Where<T>, join: Join<T, R>, options: ListOptions<T>): Promise<R[]>
  exists(db: Db, where: Where<T>): Promise<boolean>
  /** With `max`, counting stops there, which keeps it cheap on large tables: the result then means "at least". */
  count(db: Db, where: Where<T>, max?: number): Promise<number>
}

/** None of the writes takes an empty condition: what has to concern all rows is written in SQL. */
interface Writes<T extends TableName> {
  create<C extends Column<T>>(trx: Trx, values: InsertObject<Database, T>, columns: readonly C[]): Promise<Row<T, C>>
  /** Resolves with the changed row, or one of them. */
  update<C extends Column<T>>(
    trx: Trx,
    where: Where<T>,
    changes: UpdateObject<Database, T>,
    columns: readonly C[]
  ): Promise<Row<T, C> | undefined>
  /** Removes rows for good, softly deleted ones too. Resolves with how many. */
  hardDelete(trx: Trx, where: Where<T>): Promise<number>
}

interface SoftWrites<T extends TableName> {
  /** Hides rows from now on. Resolves with how many. */
  delete(trx: Trx, where: Where<T>): Promise<number>
  /** Shows rows again that were hidden. Resolves with how many. */
  restore(trx: Trx, where: Where<T>): Promise<number>
}

export type Crud<T extends TableName> = Reads<T> & Writes<T> & (T extends SoftDeletable ? SoftWrites<T> : unknown)
