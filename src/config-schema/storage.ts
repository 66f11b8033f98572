import { group } from '../config-variables.ts'

const database = group('Database')
const redis = group('Redis')

/** Where its data lies. */
export const storage = {
  DATABASE_URL: database.optional(
    'PostgreSQL of the service, `postgres://…`; without it the embedded database is used',
    {
      secret: true,
      format: 'postgres-url'
    }
  ),
  MIGRATION_DATABASE_URL: database.optional(
    'PostgreSQL as the owner of the schema, a direct connection, for migrations, which give the role of DATABASE_URL its rights; default DATABASE_URL',
    { secret: true, format: 'postgres-url' }
  ),
  DB_HOST: database.optional('Instead of DATABASE_URL: host'),
  DB_PORT: database.integer('Instead of DATABASE_URL: port', 1, 65_535, { default: 5432 }),
  DB_NAME: database.optional('Instead of DATABASE_URL: database'),
  DB_USER: database.optional('Instead of DATABASE_URL: user'),
  DB_PASSWORD: database.optional('Instead of DATABASE_URL: password', { secret: true }),
  DB_SSL: database.choice(
    'TLS to the database: `require` encrypts, `verify-full` also checks the certificate',
    ['disable', 'require', 'verify-full'],
    'disable'
  ),
  DB_ECHO: database.flag('Log every SQL text (never its values)', false),
  DB_POOL_SIZE: database.integer('Connections kept open', 1, 1000, { default: 10 }),
  DB_MAX_OVERFLOW: database.integer('Further connections under load', 0, 1000, { default: 10 }),
  DB_POOL_TIMEOUT: database.integer('Wait for a free connection, then 503', 1, 300, { default: 5, unit: 's' }),
  DB_POOL_RECYCLE: database.integer('Age at which a connection is replaced', 1, 86_400, { default: 1800, unit: 's' }),
  DB_STATEMENT_TIMEOUT_MS: database.integer('Longest statement', 10, 600_000, { default: 10_000, unit: 'ms' }),
  DB_LOCK_TIMEOUT_MS: database.integer('Longest wait for a lock', 10, 600_000, { default: 3000, unit: 'ms' }),
  DB_IDLE_IN_TRANSACTION_TIMEOUT_MS: database.integer('Longest pause inside a transaction', 10, 600_000, {
    default: 10_000,
    unit: 'ms'
  }),
  DB_PREPARED_STATEMENTS: database.flag(
    'Named prepared statements; turn off behind PgBouncer in transaction mode',
    true
  ),
  MIGRATE_ON_START: database.flag('Migrate at start on PostgreSQL too (embedded always does)', false),

  REDIS_URL: redis.optional('Redis, `redis://…` or `rediss://…` for TLS; optional', {
    secret: true,
    format: 'redis-url'
  }),
  REDIS_HOST: redis.optional('Instead of REDIS_URL: host'),
  REDIS_PORT: redis.integer('Instead of REDIS_URL: port', 1, 65_535, { default: 6379 }),
  REDIS_PASSWORD: redis.optional('Password for REDIS_HOST or REDIS_CLUSTER_NODES', { secret: true }),
  REDIS_DB: redis.integer('Instead of REDIS_URL: database number', 0, 1024, { default: 0 }),
  REDIS_TLS: redis.flag('TLS for REDIS_HOST or REDIS_CLUSTER_NODES', false),
  REDIS_CLUSTER_NODES: redis.list('Instead of REDIS_URL: `host:port` of Redis Cluster nodes', {
    pattern: '^([\\w.-]+|\\[[0-9A-Fa-f:.]+\\]):\\d{1,5}$',
    items: 'host:port'
  }),
  REDIS_CACHE_URL: redis.optional('Redis for the cache alone; default: the one above', {
    secret: true,
    format: 'redis-url'
  }),
  REDIS_RATE_LIMIT_URL: redis.optional('Redis for rate limits alone; default: the one above', {
    secret: true,
    format: 'redis-url'
  }),
  REDIS_CONNECT_TIMEOUT_MS: redis.integer('Longest wait for a connection', 50, 60_000, { default: 1000, unit: 'ms' }),
  REDIS_COMMAND_TIMEOUT_MS: redis.integer('Longest wait for an answer', 10, 60_000, { default: 150, unit: 'ms' }),
  REDIS_PREFIX: redis.text('Prefix of every key', { default: 'plinth:', pattern: '^[\\w:-]*$' })
}
