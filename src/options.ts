import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { type CursorOptions, createCursors } from '../db/cursors.ts'
import { findFamiliarAddresses } from '../db/familiar-addresses.ts'
import { loadTierRules } from '../db/tiers.ts'
import { findUserByIdentifier } from '../db/users.ts'
import type { AccessTokensOptions } from '../plugins/access-tokens/index.ts'
import type { ApiKeysOptions } from '../plugins/api-keys/index.ts'
import type { AuditOptions } from '../plugins/audit/index.ts'
import type { Principal } from '../plugins/auth/index.ts'
import { type CacheOptions, memoryStore, redisStore as redisCache } from '../plugins/cache/index.ts'
import type { EncryptionOptions } from '../plugins/encryption/index.ts'
import { lacksParam } from '../plugins/envelope/index.ts'
import type { IdempotencyOptions } from '../plugins/idempotency/index.ts'
import type { JobsOptions } from '../plugins/jobs/index.ts'
import { type Lock, type LockoutOptions, redisStore } from '../plugins/lockout/index.ts'
import type { LoggingOptions } from '../plugins/logging/index.ts'
import type { MailOptions } from '../plugins/mail/index.ts'
import type { PasswordsOptions } from '../plugins/passwords/index.ts'
import type { RateLimitOptions } from '../plugins/rate-limit/index.ts'
import type { Guard, RedisOptions } from '../plugins/redis/index.ts'
import type { SessionsOptions } from '../plugins/sessions/index.ts'
import type { ApiKeyRouteOptions } from '../routes/api/v1/api-keys/index.ts'
import type { AuthRouteOptions } from '../routes/api/v1/auth/index.ts'
import type { TodoOptions } from '../routes/api/v1/todos/index.ts'
import type { RootOptions } from '../routes/index.ts'
import type { Config } from './config.ts'
import { databaseTls } from './database.ts'
import { jwtKeys } from './jwt-keys.ts'
import { derivedKeys } from './keys.ts'

export const logging = (config: Config, module: 'server' | 'worker'): LoggingOptions => ({
  level: config.LOG_LEVEL,
  format: config.LOG_FORMAT,
  caller: config.LOG_CALLER,
  name: config.APP_NAME,
  module,
  redact: ['database_url', 'redis_url', 'smtp_url', 'app_keys', 'encryption_keys'],
  ...(config.LOG_FILE && { file: config.LOG_FILE })
})

export function redis(config: Config): RedisOptions | null {
  const common = {
    prefix: config.REDIS_PREFIX,
    connectTimeoutMs: config.REDIS_CONNECT_TIMEOUT_MS,
    commandTimeoutMs: config.REDIS_COMMAND_TIMEOUT_MS
  }
  if (config.REDIS_URL) return { ...common, url: config.REDIS_URL }
  if (config.REDIS_CLUSTER_NODES.length > 0) {
    const secrets = { password: config.REDIS_PASSWORD, ...(config.REDIS_TLS && { tls: {} }) }
    return { ...common, ...secrets, nodes: config.REDIS_CLUSTER_NODES }
  }
  return null
}

export const rateLimit = (config: Config, app: FastifyInstance, guard: Guard | undefined): RateLimitOptions => ({
  guard,
  identify: ({ principal }) => principal && quotaOf(principal),
  recall(request) {
    // Refused in between, see `refuseEmptyParams`.
    if (lacksParam(request.params)) return undefined
    const principal = request.recallPrincipal()
    return principal && quotaOf(principal)
  },
  loadRules: (tier) => loadTierRules(app.db, tier),
  perAddress: { max: config.RATE_LIMIT_PER_HOUR, seconds: 3600 },
  perUser: { max: config.USER_RATE_LIMIT_PER_HOUR, seconds: 3600 },
  perPublicRoute: { max: config.RATE_LIMIT_UNPROTECTED_ROUTES, seconds: 60 },
  fallback: { max: config.DEFAULT_RATE_LIMIT_LIMIT, seconds: config.DEFAULT_RATE_LIMIT_PERIOD }
})

const quotaOf = ({ id, tier }: Principal) => ({ key: `user:${id}`, tier: tier.id })

export const passwords = (config: Config): PasswordsOptions => ({
  memoryKiB: config.ARGON2_MEMORY_KIB,
  timeCost: config.ARGON2_TIME_COST,
  parallelism: config.ARGON2_PARALLELISM,
  concurrency: config.ARGON2_CONCURRENCY,
  queue: config.ARGON2_QUEUE,
  minLength: config.PASSWORD_MIN_LENGTH,
  requireClasses: config.PASSWORD_REQUIRE_CLASSES
})

export const lockout = (config: Config, app: FastifyInstance): LockoutOptions => ({
  maxAttempts: config.MAX_FAILED_ATTEMPTS,
  durationSeconds: config.LOCKOUT_DURATION_SECONDS,
  key: derivedKeys(config.APP_KEYS, 'lockout')[0]?.key,
  ...(app.hasDecorator('redisGuard') && { store: redisStore(app.redisGuard) }),
  familiarAddresses: (account) => findFamiliarAddresses(app.db, account),
  onLocked: (lock) => recordLock(app, lock)
})

/** Names the account by its owner, if it has one: what was typed may be anything. */
async function recordLock(app: FastifyInstance, { scope, client, account, request }: Lock): Promise<void> {
  const owner = account === null ? undefined : await findUserByIdentifier(app.db, account)
  const target =
    scope === 'client'
      ? { target_type: 'client', target_id: client }
      : { target_type: 'user', target_id: owner?.id ?? null }
  await app.database.transaction((trx) => app.audit.record(trx, { action: `${scope}.locked`, ...target, request }))
}

export const accessTokens = (config: Config): AccessTokensOptions => ({
  keys: jwtKeys(config),
  issuer: config.JWT_ISSUER,
  audience: config.JWT_AUDIENCE,
  ttlSeconds: config.ACCESS_TOKEN_MINUTES * 60
})

export const audit = (config: Config): AuditOptions => ({
  keys: derivedKeys(config.APP_KEYS, 'audit'),
  retentionDays: config.AUDIT_RETENTION_DAYS
})

export const encryption = (config: Config): EncryptionOptions => ({
  keys: derivedKeys(config.ENCRYPTION_KEYS ?? config.APP_KEYS, 'encryption')
})

export function cache(config: Config, database: 'postgres' | 'embedded', guard: Guard | undefined): CacheOptions {
  // Embedded there is one process, whose memory will do; without Redis, several ones keep nothing that could be old.
  const withoutRedis = database === 'embedded' ? memoryStore() : null
  return {
    store: guard ? redisCache(guard) : withoutRedis,
    caller: ({ principal }) => principal?.id ?? null,
    variant: ({ principal }) => principal?.roles,
    vary: ['Authorization', 'X-API-Key'],
    defaultTtlSeconds: config.CACHE_DEFAULT_TTL,
    clientMaxAgeSeconds: config.CLIENT_CACHE_MAX_AGE
  }
}

export const idempotency = (config: Config): IdempotencyOptions => ({
  caller: ({ principal }) => principal?.id,
  ttlHours: config.IDEMPOTENCY_TTL_HOURS
})

export const sessions = (config: Config): SessionsOptions => ({
  keys: derivedKeys(config.APP_KEYS, 'refresh-token'),
  idleDays: config.REFRESH_TOKEN_DAYS,
  maxDays: config.SESSION_MAX_DAYS,
  maxPerUser: config.SESSION_MAX_PER_USER,
  graceSeconds: config.REFRESH_REUSE_GRACE_SECONDS
})

/** Embedded, the service works its jobs itself; there is one connection, so little is done at once. */
export function jobs(config: Config, app: FastifyInstance, module: 'server' | 'worker'): Omit<JobsOptions, 'jobs'> {
  const url = config.DATABASE_URL
  const work = module === 'worker' || (config.JOBS_IN_PROCESS ?? app.database.kind === 'embedded')
  // The other half is for what closes after the jobs.
  const stopTimeoutMs = (config.SHUTDOWN_GRACE_SECONDS - config.DRAIN_SECONDS) * 500
  if (url === undefined) return { work, concurrency: 1, pollSeconds: 5, stopTimeoutMs }
  return {
    work,
    concurrency: config.JOBS_CONCURRENCY,
    heartbeatSeconds: config.HEARTBEAT_INTERVAL_SECONDS,
    stopTimeoutMs,
    connection: {
      url,
      ssl: databaseTls(config),
      applicationName: `${config.APP_NAME} jobs`,
      listen: config.DB_PREPARED_STATEMENTS
    }
  }
}

/** Files for the developer's eyes; elsewhere a server or nothing, for a file would hold what opens an account. */
export function mail(config: Config): MailOptions {
  const from = config.MAIL_FROM
  if (config.SMTP_URL) return { from, smtp: { url: config.SMTP_URL } }
  return { from, ...(config.ENVIRONMENT === 'local' && { files: { folder: join(config.DATA_DIR, 'mail') } }) }
}

export const apiKeys = (config: Config): ApiKeysOptions => ({
  prefix: config.API_KEY_PREFIX,
  defaultDays: config.API_KEY_DEFAULT_DAYS,
  maxDays: config.API_KEY_MAX_DAYS
})

type RouteOptions = AuthRouteOptions & ApiKeyRouteOptions & CursorOptions & RootOptions & TodoOptions

export const routes = (config: Config): RouteOptions => ({
  apiKeyMaxDays: config.API_KEY_MAX_DAYS,
  defaultRole: config.DEFAULT_USER_ROLE,
  defaultTier: config.DEFAULT_TIER,
  requireVerifiedEmail: config.REQUIRE_EMAIL_VERIFICATION,
  perMinute: { read: config.READ_RATE_LIMIT_PER_MINUTE, write: config.WRITE_RATE_LIMIT_PER_MINUTE },
  cursors: createCursors(derivedKeys(config.APP_KEYS, 'cursor')),
  welcome: {
    message: config.WELCOME_MESSAGE,
    name: config.APP_NAME,
    version: config.APP_VERSION,
    links: {
      api: '/api/v1',
      health: '/health',
      ...(config.ENVIRONMENT !== 'production' && { docs: '/docs', redoc: '/redoc', openapi: '/openapi.json' })
    }
  },
  refreshCookie: {
    secure: config.COOKIE_SECURE,
    sameSite: config.COOKIE_SAMESITE,
    maxAgeSeconds: config.REFRESH_TOKEN_DAYS * 86_400,
    origins: [...config.CORS_ORIGINS, ...(config.PUBLIC_URL ? [new URL(config.PUBLIC_URL).origin] : [])]
  }
})
