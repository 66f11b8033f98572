import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { citext } from '@electric-sql/pglite/contrib/citext'
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm'
import { type ConnectionProvider, type DatabaseConnection, PGliteDialect } from 'kysely'
import { type Backend, createEcho, type Echo } from './backend.ts'
import { DatabaseUnavailable } from './errors.ts'
import { acquireLock } from './lock.ts'
import type { EmbeddedOptions } from './types.ts'
import { parsers } from './values.ts'

/** PostgreSQL inside this process, with one connection. Its lock file lies beside the folder: `<dataDir>.lock`. */
export async function openEmbedded({ dataDir, echo, logger }: EmbeddedOptions): Promise<Backend> {
  const folder = dataDir === null ? undefined : resolve(dataDir)
  const releaseFolder = folder === undefined ? undefined : await claimFolder(folder)
  try {
    const pglite = await PGlite.create({
      ...(folder !== undefined && { dataDir: folder }),
      extensions: { citext, pg_trgm },
      parsers
    })
    const dialect = new PGliteDialect({ pglite })
    const driver = dialect.createDriver()
    await driver.init()
    const connection = await driver.acquireConnection()
    if (echo) echoStatements(connection, createEcho(logger))
    const turns = takeTurns(connection)
    return {
      kind: 'embedded',
      dialect,
      driver,
      provider: turns,
      script: (sql) => turns.provideConnection(() => runScript(pglite, sql)),
      async ping() {
        // While somebody works on it, it answers; asking as well would wait for them.
        if (turns.count() === 0) await pglite.query('select 1')
      },
      stats: () => ({ size: 1, idle: turns.count() === 0 ? 1 : 0, waiting: Math.max(0, turns.count() - 1) }),
      async close() {
        await turns.end()
        await driver.destroy()
        await releaseFolder?.()
      }
    }
  } catch (error) {
    await releaseFolder?.()
    throw error
  }
}

async function claimFolder(folder: string): Promise<() => Promise<void>> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  return acquireLock(`${folder}.lock`, `The database in ${folder}`)
}

/** The way Kysely's own logging does it: the connection is one object for the whole life of the database. */
function echoStatements(connection: DatabaseConnection, echo: Echo): void {
  const run = connection.executeQuery.bind(connection)
  connection.executeQuery = async (query) => {
    const startedAt = performance.now()
    try {
      return await run(query)
    } finally {
      echo(query.sql, startedAt)
    }
  }
}

/** What fails between its BEGIN and COMMIT must not leave the one connection in a transaction that is broken. */
async function runScript(pglite: PGlite, sql: string): Promise<unknown[]> {
  try {
    return (await pglite.exec(sql)).flatMap(({ rows }) => rows)
  } catch (error) {
    await pglite.exec('rollback')
    throw error
  }
}

/** One connection for everybody, in the order of asking. */
function takeTurns(connection: DatabaseConnection): ConnectionProvider & { count(): number; end(): Promise<void> } {
  let last: Promise<unknown> = Promise.resolve()
  let count = 0
  let isEnding = false
  return {
    provideConnection(consumer) {
      if (isEnding) return Promise.reject(new DatabaseUnavailable())
      count++
      const turn = last.then(() => consumer(connection)).finally(() => count--)
      last = turn.catch(() => {})
      return turn
    },
    count: () => count,
    async end() {
      isEnding = true
      await last
    }
  }
}
