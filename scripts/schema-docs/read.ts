import { type Kysely, sql } from 'kysely'

export interface Column {
  table: string
  name: string
  type: string
  is_nullable: boolean
  is_primary: boolean
  is_unique: boolean
  /** The table that a foreign key of this column refers to. */
  references: string | null
}

/** Every column of the tables in `public`, from PostgreSQL's catalogue, in the order of their definition. */
export async function readSchema<DB>(db: Kysely<DB>): Promise<Column[]> {
  const { rows } = await sql<Column>`
    select
      tables.relname as "table", attname as name, format_type(atttypid, atttypmod) as type,
      not attnotnull as is_nullable,
      exists (select from pg_constraint
        where conrelid = tables.oid and contype = 'p' and attnum = any(conkey)) as is_primary,
      exists (select from pg_index where indrelid = tables.oid and indisunique and not indisprimary
        and indnatts = 1 and indkey[0] = attnum) as is_unique,
      (select confrelid::regclass::text from pg_constraint
        where conrelid = tables.oid and contype = 'f' and conkey = array[attnum] limit 1) as "references"
    from pg_class tables
    join pg_attribute on attrelid = tables.oid and attnum > 0 and not attisdropped
    where tables.relnamespace = 'public'::regnamespace and tables.relkind in ('r', 'p')
      and not tables.relispartition and tables.relname <> 'schema_migrations'
    order by tables.relname, attnum`.execute(db)
  return rows
}
