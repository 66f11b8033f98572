import { mkdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { citext } from '@electric-sql/pglite/contrib/citext'
import { pg_trgm } from '@electric-sql/pglite/contrib/pg_trgm'
import type pg from 'pg'
import { type Backend, createEcho } from './backend.ts'
import { createDeadline } from './deadline.ts'
import { EmbeddedStream } from './embedded-stream.ts'
import type { Scopes } from './executor.ts'
import { acquireLock } from './lock.ts'
import { PING, poolBackend, quietPool } from './pool.ts'
import { postgresTypes } from './postgres-types.ts'
import { namedStatements } from './statements.ts'
import type { EmbeddedOptions } from './types.ts'

/** PostgreSQL inside this process, with one connection. Its lock file lies beside the folder: `<dataDir>.lock`. */
export async function openEmbedded({ dataDir, echo, logger }: EmbeddedOptions, scopes: Scopes): Promise<Backend> {
  const folder = dataDir === null ? undefined : resolve(dataDir)
  const releaseFolder = folder === undefined ? undefined : await claimFolder(folder)
  try {
    const server = await PGlite.create({
      ...(folder !== undefined && { dataDir: folder }),
      extensions: { citext, pg_trgm }
    })
    const pool = openPool(server, logger)
    const backend = await poolBackend(pool, {
      ...{ scopes, statements: namedStatements(), inTime: createDeadline(0), bothInTime: createDeadline(0) },
      echo: echo ? createEcho(logger) : undefined
    })
    return {
      kind: 'embedded',
      ...backend,
      async ping() {
        // While somebody works on it, it answers; asking as well would wait for them.
        if (pool.idleCount === pool.totalCount) await backend.runSingle(PING)
      },
      async close() {
        // The pool would never answer those who wait for the connection.
        while (pool.waitingCount > 0) (await pool.connect()).release()
        await pool.end()
        await server.close()
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

/** One connection for everybody, in the order of asking. */
function openPool(server: PGlite, logger: EmbeddedOptions['logger']): pg.Pool {
  const config: pg.ClientConfig = {
    stream: () => new EmbeddedStream(server),
    user: 'postgres',
    database: 'postgres',
    ssl: false,
    types: postgresTypes
  }
  return quietPool({ min: 1, max: 1, idleTimeoutMillis: 0 }, config, logger)
}
