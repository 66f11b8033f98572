import type {
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchema,
  HookHandlerDoneFunction,
  RouteOptions
} from 'fastify'
import type { Entries, Opened, Result } from './entries.ts'
import type { Payload } from './entry.ts'
import { isRead, type PolicyOptions, type ReadPolicy, readPolicy, writePolicy } from './policy.ts'
import type { Render } from './template.ts'

/** What JSON tells apart: a `Map` or a promise would all be `{}`. */
export type Json = string | number | boolean | null | undefined | readonly Json[] | { readonly [name: string]: Json }

export interface RoutesOptions extends PolicyOptions {
  entries: Entries
  variant(request: FastifyRequest): Json
  vary: readonly string[]
  clientMaxAgeSeconds: number
  invalidate(tags: string[]): Promise<void>
  onResult(result: Result): void
}

/** Gives effect to `config.cache` of the routes that come after it. */
export function cacheRoutes(app: FastifyInstance, options: RoutesOptions): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.cache === undefined) return
    if (isRead(route)) cacheRead(route, readPolicy(route, options), options)
    else invalidateAfter(route, writePolicy(route, options), options)
  })
}

/** Last of all hooks before the handler: whoever gets this far may have the answer. */
function cacheRead(route: RouteOptions, policy: ReadPolicy, options: RoutesOptions): void {
  const { entries, caller, variant, onResult } = options
  const settlers = new WeakMap<FastifyRequest, NonNullable<Opened['settle']>>()
  const publicly = `public, max-age=${options.clientMaxAgeSeconds}`
  const vary = policy.isShared || route.config?.auth === 'public' ? '' : options.vary.join(', ')

  function lookUp(request: FastifyRequest, reply: FastifyReply, done: HookHandlerDoneFunction): void {
    const who = policy.isShared ? null : [caller(request), variant(request)]
    const key = JSON.stringify([...policy.key(request), who])
    const tags = policy.tags.map((render) => render(request))
    entries
      .open(key, tags, policy.terms)
      .then(({ result, payload, settle }) => {
        onResult(result)
        reply.header('x-cache', result.toUpperCase())
        if (settle !== undefined) settlers.set(request, settle)
        if (payload !== undefined) answer(reply, payload)
        return payload !== undefined
      })
      // A hook that has sent the answer must not go on.
      .then((isAnswered) => {
        if (!isAnswered) done()
      }, done)
  }

  function keep(request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Done): void {
    const isGood = reply.statusCode === 200 && !reply.hasHeader('set-cookie')
    if (isGood && policy.isForClients) reply.header('cache-control', publicly)
    if (vary !== '') addVary(reply, vary)
    const settle = settlers.get(request)
    if (settle !== undefined) {
      settlers.delete(request)
      settle(isGood && typeof payload === 'string' ? payloadOf(reply, payload) : null)
    }
    done(null, payload)
  }

  if (route.schema !== undefined) route.schema = documented(route.schema)
  route.preHandler = [...[route.preHandler ?? []].flat(), lookUp]
  route.onSend = [keep, ...[route.onSend ?? []].flat()]
}

const xCache = { type: 'string', enum: ['HIT', 'MISS', 'STALE', 'BYPASS'], description: 'Where the answer comes from' }

function documented(schema: FastifySchema): FastifySchema {
  const response = schema.response as Record<string, { headers?: object }> | undefined
  if (response?.[200] === undefined) return schema
  const answer = { ...response[200], headers: { 'X-Cache': xCache, ...response[200].headers } }
  return { ...schema, response: { ...response, 200: answer } }
}

type Done = (error: Error | null, payload: unknown) => void

/** Before the answer, so that its reader already sees the change wherever they look. */
function invalidateAfter(route: RouteOptions, tags: Render[], { invalidate }: RoutesOptions): void {
  async function drop(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    if (reply.statusCode >= 200 && reply.statusCode < 300) await invalidate(tags.map((render) => render(request)))
  }
  route.onSend = [drop, ...[route.onSend ?? []].flat()]
}

function answer(reply: FastifyReply, { body, type, etag }: Payload): void {
  reply.header('content-type', type)
  if (etag !== undefined) reply.header('etag', etag)
  reply.send(body)
}

function payloadOf(reply: FastifyReply, body: string): Payload {
  const etag = reply.getHeader('etag')
  return { body, type: String(reply.getHeader('content-type')), etag: typeof etag === 'string' ? etag : undefined }
}

function addVary(reply: FastifyReply, names: string): void {
  const others = reply.getHeader('vary')
  reply.header('vary', others === undefined ? names : `${others}, ${names}`)
}
