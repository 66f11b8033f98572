import Fastify, { type FastifyInstance, type FastifyRequest, type InjectOptions } from 'fastify'
import { parseList } from 'structured-headers'
import type { Test } from 'tap'
import type { Changes } from '../../../plugins/changes/index.ts'
import { type RateLimitOptions, rateLimitPlugin } from '../../../plugins/rate-limit/index.ts'

export interface Host {
  app: FastifyInstance
  clock: { ms: number }
  feed: { isFresh: boolean; change(tier: string): void }
  lines: Array<Record<string, unknown>>
}

/**
 * A bare Fastify with the plugin alone. Who sends `x-user` is that user; one who sends `x-user: bad` is refused, as by an
 * authentication that stands between the two moments.
 */
export async function startHost(t: Test, options: RateLimitOptions = {}, prepare?: (app: FastifyInstance) => unknown) {
  const lines: Array<Record<string, unknown>> = []
  const logger = { level: 'info', stream: { write: (line: string) => lines.push(JSON.parse(line)) } }
  const app: FastifyInstance = Fastify({ logger, trustProxy: 'loopback' })
  t.teardown(() => app.close())
  const clock = { ms: 1_000_000 }
  const listeners: Array<(key: string) => void> = []
  const feed = { isFresh: true, change: (tier: string) => listeners.forEach((listener) => void listener(tier)) }
  const changes: Pick<Changes, 'on' | 'onGap' | 'isFresh'> = {
    on: (_, listener) => listeners.push(listener),
    onGap: () => undefined,
    isFresh: () => feed.isFresh
  }
  app.decorate('changes', changes as Changes) // all that the plugin uses of a feed
  await prepare?.(app)
  await app.register(rateLimitPlugin, {
    // What is counted in Redis goes by the clock of its server.
    now: options.guard === undefined ? () => clock.ms : () => performance.now(),
    identify({ headers }) {
      const { 'x-user': user, 'x-tier': tier } = headers
      return typeof user === 'string'
        ? { key: `user:${user}`, tier: typeof tier === 'string' ? tier : undefined }
        : null
    },
    ...options
  })
  app.addHook('onRoute', (route) => {
    if (route.config?.auth === 'required') route.onRequest = [authenticate, ...[route.onRequest ?? []].flat()]
  })
  return { app, clock, feed, lines }
}

async function authenticate({ headers }: FastifyRequest): Promise<void> {
  if (headers['x-user'] === 'bad') throw Object.assign(new Error('Who are you?'), { statusCode: 401 })
}

/** A limit for a route, and the call of a user to `/notes`. */
export const note = { service: 'note_read', max: 3, seconds: 60 }
export const as = (user: string, more = {}) => ({ url: '/notes', headers: { 'x-user': user, ...more } })

/** Calls `count` times and returns the statuses. */
export async function call(app: FastifyInstance, request: InjectOptions | string, count = 1): Promise<number[]> {
  const statuses: number[] = []
  for (let n = 0; n < count; n++) statuses.push((await app.inject(request)).statusCode)
  return statuses
}

/** The items of a structured header: names with their parameters. */
export function items(header: unknown): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    parseList(String(header)).map(([name, parameters]) => [name, Object.fromEntries(parameters)])
  )
}
