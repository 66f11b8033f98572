import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify'
import fp from 'fastify-plugin'
import { documentConditions } from './documentation.ts'
import { absentOrChanged, PreconditionFailed, PreconditionRequired } from './errors.ts'
import { bodyTag, hashSchema, namesTag, rowTag, tagsIn, versionsIn } from './etag.ts'

export interface ConditionalOptions {
  /** The version of the row in what a handler returned. Default `payload.data.row_version`, else `payload.row_version`. */
  rowVersion?(payload: unknown): unknown
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Answers carry an ETag: of the row's version, where the body depends on that row alone, or of the body itself. */
    etag?: 'row' | 'body'
    /**
     * The handler heeds `If-Match`: by `request.ifMatch` when the GET of the URL has `etag: 'row'`, by `reply.requireState`
     * when it has `'body'`. `'required'` refuses requests without the header.
     */
    ifMatch?: 'optional' | 'required'
  }
  interface FastifyRequest {
    /** What `If-Match` asks of the row, to be spread into the conditions of the UPDATE; `undefined` when it asks nothing. */
    readonly ifMatch: { row_version: number[] } | undefined
  }
  interface FastifyReply {
    /**
     * Calls `read` if the request has `If-Match`: it returns what the GET of this URL would answer this caller now, from rows
     * that it has locked.
     *
     * @throws PreconditionFailed unless that answer has one of the tags
     */
    requireState(read: () => unknown): Promise<void>
  }
}

async function conditional(
  app: FastifyInstance,
  { rowVersion = defaultRowVersion }: ConditionalOptions
): Promise<void> {
  /** By the URL of the resource: the tags that a GET gives out are those that a PATCH compares. */
  const schemaHashes = new Map<string, string>()
  const bodySchemas = new Map<string, unknown>()
  const conditioned: RouteOptions[] = []

  app.decorateRequest('ifMatch', {
    getter(this: FastifyRequest) {
      const header = this.headers['if-match']
      if (header === undefined) return undefined
      const versions = versionsIn(header, schemaHashes.get(this.routeOptions.url ?? '') ?? '')
      return versions && { row_version: versions }
    }
  })

  app.decorateReply('requireState', async function (read) {
    const { headers, routeOptions } = this.request
    const header = headers['if-match']
    if (header === undefined || header.trim() === '*') return
    const body = this.serializeInput(Object(await read()), Object(bodySchemas.get(routeOptions.url ?? '')))
    if (!tagsIn(header).includes(bodyTag(String(body)))) throw new PreconditionFailed()
  })

  app.addHook('onRoute', (route) => {
    const { etag, ifMatch } = route.config ?? {}
    if (etag === undefined && ifMatch === undefined) return
    if (ifMatch !== undefined) conditioned.push(route)
    if (ifMatch === 'required') route.preValidation = [requireIfMatch, ...[route.preValidation ?? []].flat()]
    const success = successSchema(route)
    if (etag === 'row') tagRows(route, hashSchema(success))
    if (etag === 'body') {
      if (route.method === 'GET') bodySchemas.set(route.url, success)
      route.onSend = [tagBody, ...[route.onSend ?? []].flat()]
    }
    if (isRead(route)) route.onSend = [...[route.onSend ?? []].flat(), answerNotModified]
    documentConditions(route, app.getSchema('Error') !== undefined)
  })

  function tagRows(route: RouteOptions, ownHash: string): void {
    if (route.method === 'GET') schemaHashes.set(route.url, ownHash)
    const tag = (_request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Done<unknown>) => {
      const version = rowVersion(payload)
      if (typeof version !== 'number') {
        return done(new TypeError(`Route ${nameOf(route)} has config.etag 'row' and answered without a row_version`))
      }
      reply.header('etag', rowTag(version, schemaHashes.get(route.url) ?? ownHash))
      done(null, payload)
    }
    route.preSerialization = [...[route.preSerialization ?? []].flat(), tag]
  }

  app.addHook('onReady', async () => {
    for (const route of conditioned) {
      if (schemaHashes.has(route.url) || bodySchemas.get(route.url)) continue
      throw new Error(`Route ${nameOf(route)} has config.ifMatch: GET ${route.url} must have config.etag and a schema`)
    }
  })
}

type Done<P> = (error: Error | null, payload?: P) => void

async function requireIfMatch({ headers }: FastifyRequest): Promise<void> {
  if (headers['if-match'] === undefined) throw new PreconditionRequired()
}

function tagBody(_request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Done<unknown>): void {
  if (reply.statusCode === 200 && typeof payload === 'string' && !reply.hasHeader('etag')) {
    reply.header('etag', bodyTag(payload))
  }
  done(null, payload)
}

/** Last of all, so that whatever stores answers sees the whole one. */
function answerNotModified(request: FastifyRequest, reply: FastifyReply, payload: unknown, done: Done<unknown>): void {
  const header = request.headers['if-none-match']
  const tag = reply.getHeader('etag')
  if (header !== undefined && reply.statusCode === 200 && typeof tag === 'string' && namesTag(header, tag)) {
    reply.code(304).removeHeader('content-type').removeHeader('content-length')
    done(null, null)
  } else {
    done(null, payload)
  }
}

function defaultRowVersion(payload: unknown): unknown {
  const { data, row_version } = Object(payload)
  return Object(data).row_version ?? row_version
}

/** The schema of what a route answers when all is well. */
function successSchema({ schema }: RouteOptions): unknown {
  const responses = Object(schema?.response)
  return responses[200] ?? responses[201] ?? responses['2xx'] ?? null
}

const isRead = ({ method }: RouteOptions) => method === 'GET' || method === 'HEAD'
const nameOf = ({ method, url }: RouteOptions) => `${[method].flat().join('|')} ${url}`

export const conditionalPlugin = fp(conditional, { name: 'conditional', fastify: '5.x' })
export default conditionalPlugin
export { absentOrChanged, PreconditionFailed, PreconditionRequired }
