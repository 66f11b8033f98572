import { randomBytes } from 'node:crypto'
import Fastify from 'fastify'
import { type Kysely, sql } from 'kysely'
import pg from 'pg'
import { migrateUp } from '../db/migrate.ts'
import type { Database } from '../db/types.ts'
import accessTokens from '../plugins/access-tokens/index.ts'
import { type Config, loadConfig } from '../src/config.ts'
import { openMigrationDatabase } from '../src/database.ts'
import { accessTokens as accessTokensOptions } from '../src/options.ts'
import { generateSecrets, withLocalSecrets } from '../src/secrets.ts'

const USERS = 10_000
const ADDRESSES = 2000
const limits = [
  'RATE_LIMIT_PER_HOUR',
  'USER_RATE_LIMIT_PER_HOUR',
  'RATE_LIMIT_UNPROTECTED_ROUTES',
  'READ_RATE_LIMIT_PER_MINUTE',
  'WRITE_RATE_LIMIT_PER_MINUTE'
]

/** A signed-in user. */
export interface Caller {
  /** Public id of the user. */
  id: string
  token: string
}

/** The seeded database of a run, and what the servers have to know. */
export interface Fixture {
  /** The environment of the service. */
  env: Record<string, string>
  db: Kysely<Database>
  /** One session each. */
  callers: Caller[]
  drop(): Promise<void>
}

/** Creates, migrates and seeds a database that exists for this run only. */
export async function createFixture(): Promise<Fixture> {
  const server = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'
  const name = `plinth_bench_${randomBytes(4).toString('hex')}`
  const url = new URL(server)
  url.pathname = `/${name}`
  const env = {
    ...generateSecrets(),
    ENVIRONMENT: 'production',
    HOST: '127.0.0.1',
    DATABASE_URL: url.href,
    REDIS_URL: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379',
    REDIS_PREFIX: `${name}:`,
    // The load generator plays a proxy with many clients.
    TRUST_PROXY: 'loopback',
    LOG_FORMAT: 'json',
    // Active, and out of reach.
    ...Object.fromEntries(limits.map((name) => [name, '1000000000'])),
    // Tokens outlast the run.
    ACCESS_TOKEN_MINUTES: '600'
  }
  const config = withLocalSecrets(loadConfig(env))
  await execute(server, `create database ${name}`)
  // CPU time is compared: a server that waits for a slow disk would fall asleep, and waking up costs.
  await execute(server, `alter database ${name} set synchronous_commit = off`)
  const opened = await openMigrationDatabase(config)
  const drop = async () => {
    await opened.close()
    await execute(server, `drop database ${name} with (force)`)
  }
  try {
    await migrateUp(opened.db)
    return { env, db: opened.db, callers: await signIn(config, await seedSessions(opened.db)), drop }
  } catch (error) {
    await drop()
    throw error
  }
}

/** A whole HTTP request, from one of many clients behind a proxy; a POST if there is a `body`, which goes as JSON. */
export function httpRequest(n: number, path: string, headers: Record<string, string> = {}, body?: object): string {
  const address = n % ADDRESSES
  const content = body ? JSON.stringify(body) : ''
  const all = {
    Host: 'bench.example.com',
    'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) bench',
    Accept: '*/*',
    'X-Forwarded-For': `10.0.${address >> 8}.${address & 255}`,
    ...(body && { 'Content-Type': 'application/json', 'Content-Length': String(Buffer.byteLength(content)) }),
    ...headers
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${body ? 'POST' : 'GET'} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${content}`
}

async function seedSessions(db: Kysely<Database>): Promise<Array<{ sub: string; sid: string }>> {
  await sql`insert into users (tier_id, email, username, name, password_hash, is_verified)
    select (select id from tiers where name = 'free'), 'user' || n || '@example.com', 'user' || n, 'User ' || n, 'none', true from generate_series(1, ${USERS}::int) n`.execute(
    db
  )
  await sql`insert into user_roles (user_id, role_id)
    select users.id, roles.id from users, roles where roles.name = 'user'`.execute(db)
  await sql`insert into sessions (user_id, expires_at) select id, now() + interval '1 day' from users`.execute(db)
  await sql`analyze`.execute(db)
  return db
    .selectFrom('sessions')
    .innerJoin('users', 'users.id', 'sessions.user_id')
    .select(['users.public_id as sub', 'sessions.id as sid'])
    .execute()
}

/** With the service's own plugin and secret, so that the tokens are what it would have issued. */
async function signIn(config: Config, sessions: Array<{ sub: string; sid: string }>): Promise<Caller[]> {
  const app = Fastify()
  await app.register(accessTokens, accessTokensOptions(config))
  const callers = sessions.map((session) => ({ id: session.sub, token: app.accessTokens.sign(session).token }))
  await app.close()
  return callers
}

async function execute(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(statement).finally(() => client.end())
}
