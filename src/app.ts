import { join } from 'node:path'
import autoload from '@fastify/autoload'
import Fastify, { type FastifyInstance } from 'fastify'
import { loadCaller, loadKeyCaller } from '../db/callers.ts'
import { permissionCodes } from '../db/permissions.ts'
import accessTokens from '../plugins/access-tokens/index.ts'
import apiKeys from '../plugins/api-keys/index.ts'
import audit from '../plugins/audit/index.ts'
import auth from '../plugins/auth/index.ts'
import cache from '../plugins/cache/index.ts'
import changes from '../plugins/changes/index.ts'
import conditional from '../plugins/conditional/index.ts'
import database, { type OpenDatabase } from '../plugins/database/index.ts'
import docs from '../plugins/docs/index.ts'
import encryption from '../plugins/encryption/index.ts'
import envelope, { serverOptions as envelopeServer, refuseEmptyParams } from '../plugins/envelope/index.ts'
import health from '../plugins/health/index.ts'
import idempotency from '../plugins/idempotency/index.ts'
import jobs from '../plugins/jobs/index.ts'
import lockout from '../plugins/lockout/index.ts'
import logging, { serverOptions as loggingServer } from '../plugins/logging/index.ts'
import mail from '../plugins/mail/index.ts'
import metrics from '../plugins/metrics/index.ts'
import passwords from '../plugins/passwords/index.ts'
import rateLimit from '../plugins/rate-limit/index.ts'
import redis from '../plugins/redis/index.ts'
import securityHeaders, { constantHeaders } from '../plugins/security-headers/index.ts'
import sessions from '../plugins/sessions/index.ts'
import validation from '../plugins/validation/index.ts'
import { prepareAccounts } from './accounts.ts'
import type { Config } from './config.ts'
import { openAppDatabase, prepareSchema } from './database.ts'
import { docsOptions } from './docs-options.ts'
import { createLetters } from './letters.ts'
import { loadJobs } from './load-jobs.ts'
import * as options from './options.ts'
import { redisGuard } from './redis-guard.ts'
import { refuseStart } from './start-failure.ts'
import { trustProxy } from './trust-proxy.ts'

export interface BuildOptions {
  /** A database opened by the caller, who closes it; otherwise the one that `config` names is opened and closed here. */
  database?: OpenDatabase
}

/**
 * The whole service, ready to listen. Each line names a capability; its options come from `config`.
 *
 * @throws when the database cannot be reached or its schema is not up to date
 */
export async function buildApp(config: Config, given: BuildOptions = {}): Promise<FastifyInstance> {
  return build(config, 'server', given, async (app) => {
    const limits = await redisGuard(app, config, config.REDIS_RATE_LIMIT_URL)
    await app.register(rateLimit, options.rateLimit(config, app, limits))
    app.addHook('onRequest', refuseEmptyParams)
    await app.register(passwords, options.passwords(config))
    await app.register(lockout, options.lockout(config, app))
    await app.register(accessTokens, options.accessTokens(config))
    await app.register(auth, {
      load: (claims) => loadCaller(app.db, claims),
      loadApiKey: async (proof) => {
        const key = await app.apiKeys.find(proof)
        return key && loadKeyCaller(app.db, key)
      },
      kinds: ['session', 'user', 'role', 'api_key', 'tier'],
      permissions: permissionCodes,
      onForged: (request) => app.lockout.fail(request)
    })
    await app.register(autoload, {
      dir: join(import.meta.dirname, '../routes'),
      forceESM: true,
      routeParams: true,
      matchFilter: (path: string) => /\/index\.[jt]s$/.test(path),
      options: options.routes(config)
    })
    await prepareAccounts(app, config)
  })
}

/** The process that works in the background: the same foundation, health and metrics, and no API. */
export async function buildWorker(config: Config, given: BuildOptions = {}): Promise<FastifyInstance> {
  return build(config, 'worker', given, async () => {})
}

async function build(
  config: Config,
  module: 'server' | 'worker',
  given: BuildOptions,
  compose: (app: FastifyInstance) => Promise<void>
): Promise<FastifyInstance> {
  const logs = options.logging(config, module)
  const app: FastifyInstance = Fastify({
    ...loggingServer(logs),
    ...envelopeServer({
      headers: constantHeaders(),
      bodyLimitBytes: config.BODY_LIMIT_BYTES,
      requestTimeoutMs: config.REQUEST_TIMEOUT_MS
    }),
    trustProxy: trustProxy(config.TRUST_PROXY),
    // The first start of the embedded database and a busy machine together pass Fastify's 10 s.
    pluginTimeout: 60_000
  })
  try {
    const opened = given.database ?? (await openAppDatabase(config, app.log).catch(refuseStart))
    if (given.database === undefined) app.addHook('onClose', () => opened.close())
    await prepareSchema(opened, config)

    await app.register(logging, logs)
    await app.register(securityHeaders, {
      allowedHosts: config.ALLOWED_HOSTS,
      origins: config.CORS_ORIGINS,
      credentials: true
    })
    await app.register(envelope)
    await app.register(validation)
    // Ahead of whatever mounts a route: only what comes later is in the document.
    if (module === 'server') await app.register(docs, docsOptions(config, app))
    await app.register(health, { version: config.APP_VERSION })
    await app.register(metrics, { token: config.METRICS_TOKEN, version: config.APP_VERSION })
    await app.register(database, { database: opened })
    await app.register(changes)
    await app.register(idempotency, options.idempotency(config))
    await app.register(audit, options.audit(config))
    await app.register(encryption, options.encryption(config))
    const redisOptions = options.redis(config)
    if (redisOptions) await app.register(redis, redisOptions)
    // Ahead of `conditional`, so that answers are kept whole and with their ETag.
    await app.register(cache, options.cache(config, opened.kind, await redisGuard(app, config, config.REDIS_CACHE_URL)))
    await app.register(conditional)
    await app.register(sessions, options.sessions(config))
    await app.register(mail, options.mail(config))
    app.decorate('letters', createLetters(config))
    await app.register(jobs, { ...options.jobs(config, app, module), jobs: await loadJobs() })
    await app.register(apiKeys, options.apiKeys(config))
    await compose(app)
    return app
  } catch (error) {
    await app.close()
    throw error
  }
}
