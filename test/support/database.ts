import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { Test } from 'tap'
import { migrateUp } from '../../db/migrate.ts'
import { type EmbeddedOptions, type OpenDatabase, openDatabase } from '../../plugins/database/index.ts'
import { copyEmpty, copyMigrated, schemaHash } from './embedded.ts'

type Copy = (folder: string) => Promise<void>

/** Where the throw-away databases of a run on services are made. */
export const adminUrl = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'

/** An empty, migrated database that is gone at teardown: opened (embedded) or named by its URL (services). */
export async function testDatabase(
  t: Test,
  mode: 'embedded' | 'services'
): Promise<{ open?: OpenDatabase; url?: string }> {
  if (mode === 'services') return { url: await copyOfTemplate(t) }
  return { open: await openCopy(t, copyMigrated) }
}

/** An embedded database without any table, gone at teardown. */
export function emptyEmbedded(t: Test, options: Partial<EmbeddedOptions> = {}): Promise<OpenDatabase> {
  return openCopy(t, copyEmpty, options)
}

/** The folder of an embedded database without any table, gone at teardown. */
export const emptyFolder = (t: Test): Promise<string> => copyOf(t, copyEmpty)

async function openCopy(t: Test, copy: Copy, options: Partial<EmbeddedOptions> = {}): Promise<OpenDatabase> {
  const database = await openDatabase({ ...options, dataDir: await copyOf(t, copy) })
  t.teardown(() => database.close())
  return database
}

async function copyOf(t: Test, copy: Copy): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'plinth-database-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const dataDir = join(folder, 'database')
  await copy(dataDir)
  return dataDir
}

/** A database of the services without any table, dropped at teardown. */
export async function emptyDatabase(t: Test): Promise<string> {
  const name = throwawayName(t)
  await asAdmin((client) => client.query(`create database ${name}`))
  return urlOf(name)
}

function throwawayName(t: Test): string {
  const name = `plinth_test_${crypto.randomUUID().replaceAll('-', '')}`
  t.teardown(() => asAdmin((client) => client.query(`drop database if exists ${name} with (force)`)))
  return name
}

async function copyOfTemplate(t: Test): Promise<string> {
  const template = `plinth_template_${schemaHash()}`
  const name = throwawayName(t)
  await asAdmin(async (client) => {
    // Test files run in parallel processes; one of them makes the template.
    await client.query('select pg_advisory_lock(771001)')
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [template])
    if (rowCount === 0) await createTemplate(client, template)
    await client.query(`create database ${name} template ${template}`)
  })
  return urlOf(name)
}

async function createTemplate(client: pg.Client, template: string): Promise<void> {
  const draft = `${template}_draft`
  await client.query(`drop database if exists ${draft} with (force)`)
  await client.query(`create database ${draft}`)
  const database = await openDatabase({ url: urlOf(draft), poolSize: 1 })
  await migrateUp(database.db).finally(() => database.close())
  await client.query(`alter database ${draft} rename to ${template}`)
}

function urlOf(name: string): string {
  const url = new URL(adminUrl)
  url.pathname = `/${name}`
  return url.href
}

async function asAdmin(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
  const client = new pg.Client(adminUrl)
  await client.connect()
  await work(client).finally(() => client.end())
}
