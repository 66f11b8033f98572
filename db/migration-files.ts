import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { QueryExecutorProvider } from 'kysely'

/** Each takes a transaction, typed without tables in the modules: they are another set before and after each. */
export interface Migration {
  up(trx: QueryExecutorProvider): Promise<void>
  down(trx: QueryExecutorProvider): Promise<void>
}

export interface MigrationFile {
  /** `NNNN_name`, without extension: sources (`.ts`) and the build (`.js`) agree on it. */
  name: string
  path: string
}

export const MIGRATIONS_FOLDER = fileURLToPath(new URL('./migrations', import.meta.url))

/**
 * The migrations of a folder in their order.
 *
 * @throws on a module that is no migration by its name, and on two with one number
 */
export async function listMigrations(folder = MIGRATIONS_FOLDER): Promise<MigrationFile[]> {
  const modules = (await readdir(folder)).filter((file) => /\.[jt]s$/.test(file) && !file.endsWith('.d.ts')).sort()
  const byNumber = new Map<string, string>()
  return modules.map((file) => {
    const name = file.slice(0, -'.ts'.length)
    const number = /^(\d{4})_[a-z][a-z0-9_]*$/.exec(name)?.[1]
    if (number === undefined) throw new Error(`${file} is no migration: it should be named like 0001_add_todos.ts`)
    const twin = byNumber.get(number)
    if (twin !== undefined) throw new Error(`Migrations ${twin} and ${name} have the same number: renumber the newer`)
    byNumber.set(number, name)
    return { name, path: join(folder, file) }
  })
}

/** @throws when it lacks `up` or `down` */
export async function loadMigration({ name, path }: MigrationFile): Promise<Migration> {
  const { up, down } = await import(pathToFileURL(path).href)
  if (typeof up !== 'function' || typeof down !== 'function')
    throw new Error(`Migration ${name} must export up and down`)
  return { up, down }
}

/** Writes the next migration, to be filled in. Returns its path. */
export async function createMigration(name: string, folder = MIGRATIONS_FOLDER): Promise<string> {
  if (!/^[a-z][a-z0-9_]*$/.test(name)) throw new Error('A migration is named in snake_case, like add_todo_priority')
  const latest = (await listMigrations(folder)).at(-1)
  if (latest?.path.endsWith('.js')) throw new Error('This is a build: a migration is written beside the sources')
  const last = Number(latest?.name.slice(0, 4) ?? 0)
  const path = join(folder, `${String(last + 1).padStart(4, '0')}_${name}.ts`)
  await writeFile(path, TEMPLATE, { flag: 'wx' })
  return path
}

const TEMPLATE = `import { type Kysely, sql } from 'kysely'

export async function up(db: Kysely<unknown>): Promise<void> {
  await sql\`create table example (id bigint generated always as identity primary key)\`.execute(db)
}

export async function down(db: Kysely<unknown>): Promise<void> {
  await sql\`drop table example\`.execute(db)
}
`
