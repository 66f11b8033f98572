import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import type {} from '../auth/index.ts'
import type {} from '../logging/index.ts'
import type {} from '../security-headers/index.ts'
import { metricsGuard } from './guard.ts'
import { addProcessFigures } from './process.ts'
import { createRegistry, type Metrics } from './registry.ts'
import { measureRequests } from './requests.ts'
import { contentType } from './text.ts'

export type { Collect, GaugeSample } from './collected.ts'
export type { Counter } from './counter.ts'
export type { BoundHistogram, Histogram } from './histogram.ts'
export type { Metrics } from './registry.ts'
export type { Labels } from './series.ts'

export interface MetricsOptions {
  /** Bearer token that scrapers must send, at least 16 characters. Without one only clients on this machine are let in. */
  token?: string | undefined
  /** Default `/metrics`. */
  path?: string
  /** Shown as `app_build_info{version="…"}`. */
  version?: string
  /** Series one metric may have, except the request histogram, which is bounded by the routes. Default 1000. */
  maxSeries?: number
  /** Upper bounds in seconds of the request histogram. Default 1 ms to 10 s. */
  buckets?: readonly number[]
}

declare module 'fastify' {
  interface FastifyInstance {
    metrics: Metrics
  }
}

async function plugin(app: FastifyInstance, options: MetricsOptions): Promise<void> {
  const { token, path = '/metrics', version, maxSeries = 1000, buckets } = options
  const guard = metricsGuard(token)
  const registry = createRegistry({
    maxSeries,
    onFull: (metric) => app.log.warn({ metric, maxSeries }, 'metric is full: further label values count as (other)'),
    onError: (metric, err) => app.log.error({ metric, err }, 'metric cannot be read')
  })
  app.decorate('metrics', registry)

  measureRequests(app, registry, buckets)
  const figures = addProcessFigures(registry, version)
  app.addHook('onClose', async () => figures.close())

  app.get(
    path,
    {
      config: { auth: 'public', anyHost: true, log: false },
      onRequest: guard,
      schema: {
        operationId: 'getMetrics',
        tags: ['metrics'],
        summary: 'Read the figures of this process',
        description:
          'Prometheus text format 0.0.4. With a metrics token configured it must be sent as Bearer, else 401; without one only clients on the same machine are let in, others get 403.',
        response: { 200: { description: 'The figures', content: { 'text/plain': { schema: { type: 'string' } } } } }
      }
    },
    async (_request, reply) => {
      await figures.refresh()
      reply.type(contentType)
      return registry.render()
    }
  )
}

export const metricsPlugin = fp(plugin, { name: 'metrics', fastify: '5.x' })
export default metricsPlugin
