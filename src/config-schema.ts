import { type Static, Type } from '@sinclair/typebox'
import { group } from './config-variables.ts'

const app = group('Application')
const server = group('Server')
const logs = group('Logging')
const database = group('Database')
const redis = group('Redis')
const tokens = group('Tokens and cookies')
const idempotency = group('Idempotency')
const accounts = group('Accounts')
const limits = group('Rate limits')
const passwords = group('Passwords and lockout')
const jobs = group('Jobs')
const admin = group('First administrator')
const metrics = group('Metrics')
const audit = group('Audit')

const MAX_CALLS = 1_000_000_000

/** Every variable the service reads, with type, bounds, default and meaning. */
export const configSchema = Type.Object({
  ENVIRONMENT: app.choice(
    'Where this runs. `local` listens on 127.0.0.1 only and may run embedded; the others need real servers and secrets',
    ['local', 'staging', 'production'],
    'local'
  ),
  APP_NAME: app.text('Name in the documentation, the banner and token issuers', { default: 'Plinth', minLength: 1 }),
  APP_DESCRIPTION: app.text('Description in the OpenAPI document', {
    default: 'Production-ready HTTP API on Fastify.'
  }),
  APP_VERSION: app.text('Version shown by `GET /`, the documentation and metrics', { default: '0.1.0' }),
  WELCOME_MESSAGE: app.text('Message of `GET /`', { default: 'Welcome to Plinth' }),
  CONTACT_NAME: app.optional('Contact in the OpenAPI document'),
  CONTACT_EMAIL: app.optional('Contact address in the OpenAPI document', { format: 'email' }),
  LICENSE_NAME: app.text('Licence in the OpenAPI document', { default: 'MIT' }),
  DATA_DIR: app.text('Folder of the embedded database and generated secrets', { default: '.data', minLength: 1 }),

  HOST: server.optional('Address to listen on; default 127.0.0.1 in `local`, else 0.0.0.0'),
  PORT: server.integer('Port to listen on; 0 takes a free one', 0, 65_535, { default: 3000 }),
  WORKER_PORT: server.integer('Port for the health and metrics of `npm run worker`', 0, 65_535, { default: 3001 }),
  PUBLIC_URL: server.optional('Address under which clients reach the service, without a trailing slash', {
    format: 'url'
  }),
  TRUST_PROXY: server.list(
    'Proxies whose `X-Forwarded-*` headers count: addresses, CIDR ranges or `loopback`; none by default',
    { pattern: '^[\\w.:/]+$', items: 'IP addresses, CIDR ranges, loopback, linklocal or uniquelocal' }
  ),
  ALLOWED_HOSTS: server.list('Accepted `Host` names (`*.example.com` for sub-domains); empty accepts any', {
    pattern: '^((\\*\\.)?[A-Za-z0-9][A-Za-z0-9.-]*|\\[[0-9A-Fa-f:.]+\\])$',
    items: 'host names without scheme or port'
  }),
  CORS_ORIGINS: server.list(
    'Origins that browsers may call from, exactly as in the `Origin` header; empty turns CORS off',
    {
      pattern: '^https?://[^/\\s*,]+$',
      items: 'origins such as https://app.example.com'
    }
  ),
  BODY_LIMIT_BYTES: server.integer('Largest accepted request body', 1024, 104_857_600, {
    default: 1_048_576,
    unit: 'bytes'
  }),
  REQUEST_TIMEOUT_MS: server.integer('Time to receive a whole request', 1000, 600_000, { default: 30_000, unit: 'ms' }),
  SHUTDOWN_GRACE_SECONDS: server.integer('Time a stop may take before it is forced', 1, 600, {
    default: 20,
    unit: 's'
  }),
  DRAIN_SECONDS: server.integer('Time between "not ready" and closing, for load balancers to notice', 0, 300, {
    default: 0,
    unit: 's'
  }),
  UV_THREADPOOL_SIZE: server.integer('Threads for password hashing and file access', 1, 128, { default: 4 }),

  LOG_LEVEL: logs.choice(
    'Least severe level that is logged',
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'],
    'info'
  ),
  LOG_FORMAT: logs.choice('`auto` is pretty in a terminal and JSON otherwise', ['auto', 'pretty', 'json'], 'auto'),
  LOG_FILE: logs.optional('File to log into instead of standard output (10 MB × 5, rotated)'),
  LOG_CALLER: logs.flag('Add the source file and line of the caller (pretty format only)', false),

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
  REDIS_RATE_LIMIT_URL: redis.optional('Redis for rate limits alone; default: the one above', {
    secret: true,
    format: 'redis-url'
  }),
  REDIS_CONNECT_TIMEOUT_MS: redis.integer('Longest wait for a connection', 50, 60_000, { default: 1000, unit: 'ms' }),
  REDIS_COMMAND_TIMEOUT_MS: redis.integer('Longest wait for an answer', 10, 60_000, { default: 150, unit: 'ms' }),
  REDIS_PREFIX: redis.text('Prefix of every key', { default: 'plinth:', pattern: '^[\\w:-]*$' }),

  APP_KEYS: tokens.optional('Own keys, `kid:base64url(≥ 32 bytes),…`: the first signs, all verify', { secret: true }),
  ENCRYPTION_KEYS: tokens.optional(
    'Keys of encrypted fields, written like APP_KEYS: the first encrypts, all decrypt; default derived from APP_KEYS',
    { secret: true }
  ),
  JWT_ALGORITHM: tokens.choice(
    'How access tokens are signed: with a secret, or with a private key whose public half is at `/.well-known/jwks.json`',
    ['HS256', 'EdDSA', 'ES256', 'RS256'],
    'HS256'
  ),
  JWT_SECRET: tokens.optional('The simple case for HS256: the secret of access tokens, at least 32 bytes', {
    secret: true,
    minLength: 32
  }),
  JWT_KEYS: tokens.optional(
    'Instead of JWT_SECRET: keys of access tokens, `kid:algorithm:base64,…` of secrets (HS256) or private keys in PKCS #8; the first signs, all verify',
    { secret: true }
  ),
  JWT_ISSUER: tokens.text('`iss` of access tokens', { default: 'plinth', minLength: 1 }),
  JWT_AUDIENCE: tokens.text('`aud` of access tokens', { default: 'plinth-api', minLength: 1 }),
  ACCESS_TOKEN_MINUTES: tokens.integer('Life of an access token', 1, 1440, { default: 15, unit: 'min' }),
  REFRESH_TOKEN_DAYS: tokens.integer('Session ends after this long without use', 1, 365, { default: 30, unit: 'days' }),
  SESSION_MAX_DAYS: tokens.integer('Session ends after this long in any case', 1, 3650, { default: 90, unit: 'days' }),
  SESSION_MAX_PER_USER: tokens.integer('Live sessions of a user; a further sign-in ends the least used', 1, 1000, {
    default: 100
  }),
  REFRESH_REUSE_GRACE_SECONDS: tokens.integer('Time in which a used refresh token gives the same successor', 0, 300, {
    default: 10,
    unit: 's'
  }),
  COOKIE_SECURE: tokens.optionalFlag('`Secure` on the refresh cookie; default: everywhere but in `local`'),
  COOKIE_SAMESITE: tokens.choice('`SameSite` of the refresh cookie', ['lax', 'strict', 'none'], 'lax'),

  ARGON2_MEMORY_KIB: passwords.integer('Memory of one argon2id hash', 8, 4_194_304, { default: 19_456, unit: 'KiB' }),
  ARGON2_TIME_COST: passwords.integer('Passes of one argon2id hash', 1, 100, { default: 2 }),
  ARGON2_PARALLELISM: passwords.integer('Lanes of one argon2id hash', 1, 16, { default: 1 }),
  ARGON2_CONCURRENCY: passwords.integer('Hashes at once', 1, 128, { default: 2 }),
  ARGON2_QUEUE: passwords.integer('Hashes that may wait; beyond 503', 0, 10_000, { default: 64 }),
  PASSWORD_MIN_LENGTH: passwords.integer('Shortest password', 8, 128, { default: 8, unit: 'characters' }),
  PASSWORD_REQUIRE_CLASSES: passwords.flag('Ask for upper case, lower case and a digit', false),
  MAX_FAILED_ATTEMPTS: passwords.integer('Failed proofs that lock a client address out, see plugins/lockout', 1, 1000, {
    default: 5
  }),
  LOCKOUT_DURATION_SECONDS: passwords.integer('How long it is locked out, and how long a failure counts', 1, 604_800, {
    default: 900,
    unit: 's'
  }),

  IDEMPOTENCY_TTL_HOURS: idempotency.integer('How long the answer to an `Idempotency-Key` is kept', 1, 720, {
    default: 24,
    unit: 'h'
  }),
  RATE_LIMIT_PER_HOUR: limits.integer('Calls of one address an hour, whoever calls', 1, MAX_CALLS, { default: 10_000 }),
  USER_RATE_LIMIT_PER_HOUR: limits.integer('Calls of one user an hour', 1, MAX_CALLS, { default: 5000 }),
  RATE_LIMIT_UNPROTECTED_ROUTES: limits.integer(
    'Calls of one address a minute on each public route, such as sign-in, and on unknown ones',
    1,
    MAX_CALLS,
    { default: 30 }
  ),
  READ_RATE_LIMIT_PER_MINUTE: limits.integer(
    "Reads of one user a minute on each of the sample resources' services",
    1,
    MAX_CALLS,
    { default: 300 }
  ),
  WRITE_RATE_LIMIT_PER_MINUTE: limits.integer(
    "Writes of one user a minute on each of the sample resources' services",
    1,
    MAX_CALLS,
    { default: 60 }
  ),
  DEFAULT_RATE_LIMIT_LIMIT: limits.integer(
    'Calls on a limited route for which the tier of the user has no rule',
    1,
    MAX_CALLS,
    { default: 10 }
  ),
  DEFAULT_RATE_LIMIT_PERIOD: limits.integer('Time in which DEFAULT_RATE_LIMIT_LIMIT calls may be made', 1, 31_536_000, {
    default: 3600,
    unit: 's'
  }),
  JOBS_IN_PROCESS: jobs.optionalFlag('Work jobs in the API process; default: only when the database is embedded'),
  JOBS_CONCURRENCY: jobs.integer('Jobs of one kind at once in one worker', 1, 100, { default: 5 }),
  HEARTBEAT_INTERVAL_SECONDS: jobs.integer(
    'A run is taken for dead when its worker is silent for this long',
    10,
    3600,
    {
      default: 30,
      unit: 's'
    }
  ),

  DEFAULT_USER_ROLE: accounts.text('Role of everybody who registers', {
    default: 'user',
    pattern: '^[a-z][a-z0-9_-]{0,49}$'
  }),

  ADMIN_EMAIL: admin.optional('E-mail of the first administrator, created once at start', { format: 'email' }),
  ADMIN_USERNAME: admin.optional('Username of the first administrator'),
  ADMIN_PASSWORD: admin.optional('Password of the first administrator', { secret: true, minLength: 8 }),

  AUDIT_RETENTION_DAYS: audit.integer('Audit events older than this are deleted', 30, 3650, {
    default: 365,
    unit: 'days'
  }),

  METRICS_TOKEN: metrics.optional('Bearer token for `/metrics`; without it only loopback may read', {
    secret: true,
    minLength: 16
  })
})

export type ConfigValues = Static<typeof configSchema>
export type VariableName = keyof ConfigValues
