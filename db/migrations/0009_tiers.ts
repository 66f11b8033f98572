import { type Kysely, sql } from 'kysely'
import { createResource } from '../resource.ts'

const codes = ['create:tier:all', 'update:tier:all', 'delete:tier:all']

export async function up(db: Kysely<unknown>): Promise<void> {
  await createResource(db, 'tiers', (table) => table.addColumn('name', 'text', (column) => column.notNull().unique()))
  await createResource(db, 'tier_rate_limits', (table) =>
    table
      .addColumn('tier_id', 'bigint', (column) => column.notNull().references('tiers.id').onDelete('cascade'))
      .addColumn('name', 'text')
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('method', 'text')
      .addColumn('limit', 'integer', (column) => column.notNull())
      .addColumn('period', 'integer', (column) => column.notNull())
  )
  await sql`
    create unique index tier_rate_limits_route on tier_rate_limits (tier_id, path, coalesce(method, ''))`.execute(db)
  await sql`insert into tiers (name) values ('free'), ('pro')`.execute(db)
  await sql`alter table users add column tier_id bigint references tiers (id)`.execute(db)
  await sql`update users set tier_id = (select id from tiers where name = 'free')`.execute(db)
  await sql`alter table users alter column tier_id set not null`.execute(db)
  await sql`create index users_tier_id on users (tier_id)`.execute(db)
  for (const code of codes) await sql`insert into permissions (code) values (${code})`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql`delete from permissions where code = any(${codes})`.execute(db)
  await sql`alter table users drop column tier_id`.execute(db)
  await db.schema.dropTable('tier_rate_limits').execute()
  await db.schema.dropTable('tiers').execute()
}
