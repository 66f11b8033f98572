import { Redis } from 'ioredis'
import pg from 'pg'

/** The servers that tests use when the environment names no others. */
export const serviceDefaults = {
  DATABASE_URL: 'postgres://postgres@127.0.0.1:5432/postgres',
  REDIS_URL: 'redis://127.0.0.1:6379'
}

const deadlineMs = 3000

/** Asks PostgreSQL and Redis for an answer; resolves with one line for each that gives none. */
export async function findMissingServices(urls: typeof serviceDefaults): Promise<string[]> {
  const problems = await Promise.all([
    problemOf('DATABASE_URL', 'PostgreSQL', urls.DATABASE_URL, probePostgres),
    problemOf('REDIS_URL', 'Redis', urls.REDIS_URL, probeRedis)
  ])
  return problems.filter((problem) => problem !== undefined)
}

async function problemOf(variable: string, server: string, url: string, probe: (url: string) => Promise<void>) {
  try {
    await probe(url)
    return
  } catch (error) {
    return `${server} does not answer at ${withoutPassword(url)}: ${reasonOf(error)} (set ${variable} or start it)`
  }
}

async function probePostgres(url: string) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: deadlineMs })
  await client.connect()
  await client.query('select 1')
  await client.end()
}

async function probeRedis(url: string) {
  const client = new Redis(url, { lazyConnect: true, connectTimeout: deadlineMs, retryStrategy: null })
  // connect() only tells that the connection is closed; why comes as an event before it.
  const reasons: Error[] = []
  client.on('error', (error) => reasons.push(error))
  try {
    await client.connect()
    await client.ping()
  } catch (error) {
    throw reasons[0] ?? error
  } finally {
    client.disconnect()
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return 'code' in error ? String(error.code) : error.message
}

function withoutPassword(url: string): string {
  const parsed = URL.parse(url)
  if (!parsed) return 'an address that is no URL'
  parsed.password = ''
  return parsed.href
}
