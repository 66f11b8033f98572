import Fastify from 'fastify'
import type { Test } from 'tap'
import { type ChangesOptions, changesPlugin } from '../../../plugins/changes/index.ts'
import { down, up } from '../../../plugins/changes/migration.ts'
import {
  type DatabaseOptions,
  databasePlugin,
  type OpenDatabase,
  openDatabase
} from '../../../plugins/database/index.ts'

/** Makes the table `changes`, gone after the test. */
export async function createTable(t: Test, { db }: OpenDatabase): Promise<void> {
  await up(db)
  t.teardown(() => down(db))
}

/** One service with a database of its own, as one of several processes has it. */
export async function startApp(t: Test, options: DatabaseOptions & ChangesOptions) {
  const lines: Array<{ msg: string }> = []
  const database = await openDatabase(options)
  const app = Fastify({ logger: { level: 'error', stream: { write: (line) => void lines.push(JSON.parse(line)) } } })
  await app.register(databasePlugin, { database })
  await app.register(changesPlugin, options)
  t.teardown(async () => {
    await app.close()
    await database.close()
  })
  return { app, database, changes: app.changes, lines }
}

/** Resolves once `condition` holds; rejects after `ms`. */
export async function until(condition: () => boolean, ms: number): Promise<void> {
  const deadline = performance.now() + ms
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`Not within ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
