import pg from 'pg'
import type { Test } from 'tap'
import { migrateUp } from '../../db/migrate.ts'
import { type OpenDatabase, openDatabase } from '../../plugins/database/index.ts'
import { migratedDump, schemaHash } from './embedded.ts'

/** Where the throw-away databases of a run on services are made. */
export const adminUrl = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'

/** An empty, migrated database that is gone at teardown: opened (embedded) or named by its URL (services). */
export async function testDatabase(
  t: Test,
  mode: 'embedded' | 'services'
): Promise<{ open?: OpenDatabase; url?: string }> {
  if (mode === 'services') return { url: await copyOfTemplate(t) }
  const open = await openDatabase({ dataDir: null, load: await migratedDump() })
  t.teardown(() => open.close())
  return { open }
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
