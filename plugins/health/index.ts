import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type {} from '../auth/index.ts'
import type {} from '../logging/index.ts'
import type {} from '../security-headers/index.ts'
import { createProbes, type HealthCheck } from './probes.ts'
import { Liveness, livenessAnswers, Readiness, readinessAnswers } from './schema.ts'

export type { HealthCheck } from './probes.ts'

export interface HealthOptions {
  /** Put before `/health`, `/health/live` and `/health/ready`. Default `''`. */
  prefix?: string
  /** Shown in the answers when given. */
  version?: string
  /** Deadline of each check in milliseconds. Default 1000. */
  timeoutMs?: number
  /** How long a readiness result is reused, in milliseconds: at most one round of checks in that time. Default 500. */
  cacheMs?: number
  /** Monotonic clock in milliseconds. Default `performance.now`. */
  now?: () => number
}

export interface Health {
  /**
   * Adds a dependency to readiness. Names are snake_case and shown to everybody.
   * @throws {TypeError} for another spelling, {Error} for a name that is taken.
   */
  register(name: string, check: HealthCheck): void
  /** From now on readiness answers 503 `draining`. Happens by itself when the server begins to close. */
  drain(): void
}

declare module 'fastify' {
  interface FastifyInstance {
    health: Health
  }
}

const json = 'application/json; charset=utf-8'
const routeConfig = { auth: 'public', anyHost: true, log: false } as const

async function plugin(app: FastifyInstance, options: HealthOptions): Promise<void> {
  const { prefix = '', version, timeoutMs = 1000, cacheMs = 500, now = () => performance.now() } = options
  requirePositive('timeoutMs', timeoutMs)
  requirePositive('cacheMs', cacheMs)

  const probes = createProbes({ timeoutMs, cacheMs, log: app.log, now })
  let isDraining = false
  const drain = () => {
    isDraining = true
  }

  app.decorate('health', { register: probes.add, drain })
  app.addHook('preClose', async () => drain())
  app.addSchema(Liveness)
  app.addSchema(Readiness)

  const silent = silentChild(app.log)
  const route = { config: routeConfig, childLoggerFactory: () => silent, exposeHeadRoute: true }

  // Probed by the second, on every instance, and the last thing to answer under load: the text is made once, nothing is awaited.
  const alive = JSON.stringify({ status: 'ok', version })
  for (const { path, operationId, summary } of [
    { path: '/health', operationId: 'getHealth', summary: 'Check that the service runs' },
    { path: '/health/live', operationId: 'getLiveness', summary: 'Check that the process lives' }
  ]) {
    const description = 'Answers 200 as long as the process runs. Touches no dependency, needs no credentials.'
    const schema = { operationId, tags: ['health'], summary, description, response: livenessAnswers }
    app.get(`${prefix}${path}`, { ...route, schema }, (_request, reply) => {
      reply.type(json).send(alive)
    })
  }

  app.get(
    `${prefix}/health/ready`,
    {
      ...route,
      schema: {
        operationId: 'getReadiness',
        tags: ['health'],
        summary: 'Check that the service can take traffic',
        description:
          'Probes the database and the other dependencies, at most once per short interval. 200 with `ok` or `degraded` (something optional is out), 503 with `Retry-After` when something it needs is out or the service is about to stop.',
        response: readinessAnswers
      }
    },
    async (_request, reply) => {
      const { status, checks } = isDraining ? ({ status: 'draining', checks: {} } as const) : await probes.report()
      if (status === 'draining' || status === 'unavailable') {
        reply.code(503).header('retry-after', Math.ceil(cacheMs / 1000))
      }
      return { status, checks, version, uptime_seconds: Math.floor(process.uptime()) }
    }
  )
}

function requirePositive(name: string, value: number): void {
  if (!(value > 0 && Number.isFinite(value))) throw new RangeError(`health: ${name} must be a number above 0`)
}

/** Probes are not worth a log line nor the making of a logger per request; changes of state are logged by the probes. */
function silentChild(log: FastifyBaseLogger): FastifyBaseLogger {
  return log.child({}, { level: 'silent' })
}

export const healthPlugin = fp(plugin, { name: 'health', fastify: '5.x' })
export default healthPlugin
