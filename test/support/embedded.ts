import { createHash } from 'node:crypto'
import { globSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm'
import { Kysely, PGliteDialect } from 'kysely'
import { migrateUp } from '../../db/migrate.ts'

const root = join(import.meta.dirname, '../..')
const cache = join(root, 'node_modules/.cache/plinth-test')

/** Halves the time that loading takes: the template databases are two thirds of the data, and 128 MB of buffers the default. */
const slimming = [
  `alter system set shared_buffers = '16MB'`,
  `update pg_database set datistemplate = false`,
  `drop database template0`,
  `drop database template1`
]

/**
 * An embedded database without any table, to `load`. Making one takes PGlite seconds and loading it a fraction of one,
 * so it is made once and kept in node_modules/.cache.
 */
export function emptyDump(): Promise<Blob> {
  return cached(`empty-${pgliteVersion()}.tar`, async () => {
    const pglite = await PGlite.create({ initDbStartParams: ['--wal-segsize=1'] })
    for (const statement of slimming) await pglite.exec(statement)
    return dumpAndClose(pglite)
  })
}

/** The same with all migrations. */
export function migratedDump(): Promise<Blob> {
  return cached(`migrated-${pgliteVersion()}-${schemaHash()}.tar`, async () => {
    const pglite = await PGlite.create({ loadDataDir: await emptyDump(), extensions: { pg_trgm } })
    await migrateUp(new Kysely({ dialect: new PGliteDialect({ pglite }) }))
    return dumpAndClose(pglite)
  })
}

/** Changes with every migration, so that a cached dump or template is never stale. */
export function schemaHash(): string {
  const files = globSync(['db/migrations/*.ts', 'db/resource.ts', 'plugins/*/migration.ts'], { cwd: root }).sort()
  const hash = createHash('sha256')
  for (const file of files) hash.update(file).update(readFileSync(join(root, file)))
  return hash.digest('hex').slice(0, 16)
}

async function dumpAndClose(pglite: PGlite): Promise<Buffer> {
  const dump = await pglite.dumpDataDir('none')
  await pglite.close()
  return Buffer.from(await dump.arrayBuffer())
}

const dumps = new Map<string, Promise<Blob>>()

function cached(name: string, make: () => Promise<Buffer>): Promise<Blob> {
  const known = dumps.get(name)
  if (known !== undefined) return known
  const file = join(cache, name)
  const dump = (async () => new Blob([read(file) ?? keep(file, await make())]))()
  dumps.set(name, dump)
  return dump
}

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** A rename, so that test files in parallel processes that make the same dump never read half of it. */
function keep(file: string, dump: Buffer): Buffer {
  mkdirSync(cache, { recursive: true })
  const draft = `${file}.${process.pid}`
  writeFileSync(draft, dump)
  renameSync(draft, file)
  return dump
}

function pgliteVersion(): string {
  return JSON.parse(readFileSync(join(root, 'node_modules/@electric-sql/pglite/package.json'), 'utf8')).version
}
