import Fastify, { type FastifyInstance } from 'fastify'
import { type Kysely, sql } from 'kysely'
import type { Test } from 'tap'
import { changesPlugin } from '../../../plugins/changes/index.ts'
import { up as createChanges } from '../../../plugins/changes/migration.ts'
import { databasePlugin, type OpenDatabase, openDatabase } from '../../../plugins/database/index.ts'
import {
  type Rotation,
  type SessionsOptions,
  sessionsMigration,
  sessionsPlugin
} from '../../../plugins/sessions/index.ts'
import type { SessionsTables } from '../../../plugins/sessions/table.ts'
import { emptyEmbedded } from '../../support/database.ts'

export const key = { kid: 'k1', key: Buffer.alloc(32, 1) }
export const client = { user_agent: 'curl/8', ip: '192.0.2.1' }

/** Opens PostgreSQL by `url`, or an embedded database. */
export async function open(t: Test, url?: string): Promise<OpenDatabase> {
  if (url === undefined) return emptyEmbedded(t)
  const database = await openDatabase({ url })
  t.teardown(() => database.close())
  return database
}

export async function createTables({ db }: OpenDatabase): Promise<void> {
  await createChanges(db as Kysely<unknown>)
  await sessionsMigration().up(db)
}

/** A service of its own on that database. */
export async function startHost(
  t: Test,
  database: OpenDatabase,
  options: Partial<SessionsOptions> = {}
): Promise<FastifyInstance> {
  const app = Fastify()
  t.teardown(() => app.close())
  await app.register(databasePlugin, { database })
  await app.register(changesPlugin)
  await app.register(sessionsPlugin, { keys: [key], ...options })
  await app.ready()
  return app
}

let users = 0
export const newUser = () => ++users

export const signIn = (app: FastifyInstance, user_id = newUser()) =>
  app.database.transaction((trx) => app.sessions.create(trx, { user_id, ...client }))

export const rotate = (app: FastifyInstance, token: string, from = client): Promise<Rotation> =>
  app.database.transaction((trx) => app.sessions.rotate(trx, token, from))

/** The token of a rotation that gave one. */
export function tokenOf(rotation: Rotation): string {
  if (!('refreshToken' in rotation)) throw new Error(`no token: ${rotation.outcome}`)
  return rotation.refreshToken
}

export const table = (app: FastifyInstance): Kysely<SessionsTables> => app.db.withTables<SessionsTables>()

export const rowOf = (app: FastifyInstance, id: string) =>
  table(app).selectFrom('sessions').selectAll().where('id', '=', id).executeTakeFirstOrThrow()

/** Lets the session's past recede: the database's clock cannot be set. */
export const age = (app: FastifyInstance, id: string, seconds: number) =>
  sql`update sessions set
    rotated_at = rotated_at - make_interval(secs => ${seconds}),
    last_used_at = last_used_at - make_interval(secs => ${seconds}),
    expires_at = expires_at - make_interval(secs => ${seconds})
    where id = ${id}`.execute(app.db)

/** What other processes will hear of these sessions. */
export async function changesOf(app: FastifyInstance, ...ids: string[]): Promise<string[]> {
  const { rows } = await sql<{ change: string }>`
    select kind || ':' || key as change from changes where key = any(${ids}) order by id`.execute(app.db)
  return rows.map(({ change }) => change)
}
