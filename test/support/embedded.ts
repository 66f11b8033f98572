import { createHash } from 'node:crypto'
import { cpSync, existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { migrateUp } from '../../db/migrate.ts'
import { openDatabase } from '../../plugins/database/index.ts'

const root = join(import.meta.dirname, '../..')
const cache = join(root, 'node_modules/.cache/plinth-test')

/** Halves the time that copying takes: the template databases are two thirds of the data, and 128 MB of buffers the default. */
const slimming = [
  `alter system set shared_buffers = '16MB'`,
  `update pg_database set datistemplate = false`,
  `drop database template0`,
  `drop database template1`
]

/**
 * Puts an embedded database without any table into `folder`. Making one takes PGlite seconds and opening a copy a fraction of
 * one, so it is made once and kept in node_modules/.cache.
 */
export async function copyEmpty(folder: string): Promise<void> {
  const empty = await cached(`empty-${pgliteVersion()}`, async (draft) => {
    const pglite = await PGlite.create({ dataDir: draft, initDbStartParams: ['--wal-segsize=1'] })
    for (const statement of slimming) await pglite.exec(statement)
    await pglite.close()
  })
  cpSync(empty, folder, { recursive: true })
}

/** The same with all migrations. */
export async function copyMigrated(folder: string): Promise<void> {
  const migrated = await cached(`migrated-${pgliteVersion()}-${schemaHash()}`, async (draft) => {
    await copyEmpty(draft)
    const database = await openDatabase({ dataDir: draft })
    await migrateUp(database.db).finally(() => database.close())
  })
  cpSync(migrated, folder, { recursive: true })
}

/** Changes with every migration, so that a cached dump or template is never stale. */
export function schemaHash(): string {
  const files = globSync(['db/migrations/*.ts', 'db/resource.ts', 'plugins/*/migration.ts'], { cwd: root }).sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex').slice(0, 16)
}

const made = new Map<string, Promise<string>>()

/** Once in a process; what other processes made before is taken. */
function cached(name: string, make: (draft: string) => Promise<void>): Promise<string> {
  const known = made.get(name)
  if (known !== undefined) return known
  const folder = join(cache, name)
  const ready = existsSync(folder) ? Promise.resolve(folder) : keep(folder, make)
  made.set(name, ready)
  return ready
}

/** Made beside its place and renamed, so that processes that make the same one never take half of it. */
async function keep(folder: string, make: (draft: string) => Promise<void>): Promise<string> {
  const draft = `${folder}.${process.pid}`
  mkdirSync(cache, { recursive: true })
  rmSync(draft, { recursive: true, force: true })
  await make(draft)
  try {
    renameSync(draft, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    rmSync(draft, { recursive: true })
  }
  return folder
}

function pgliteVersion(): string {
  return JSON.parse(readFileSync(join(root, 'node_modules/@electric-sql/pglite/package.json'), 'utf8')).version
}
