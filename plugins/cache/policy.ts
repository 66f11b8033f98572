import type { FastifyRequest, RouteOptions } from 'fastify'
import { compileTemplate, type Render, type Values } from './template.ts'

/** What a route says of itself in `config.cache`. */
export interface RouteCache {
  /** GET: names the answer, and is a tag; e.g. `{username}_posts:page_{page}`. Names are parameters and query values. */
  key?: string
  /** Instead of `key`: names what the route is about, together with `id`; `prefix:<id>` is a tag. May be a template. */
  prefix?: string
  /** The parameter that holds the id. Default: the only one that is a UUID by its schema (without a schema, the only one). */
  id?: string
  /** GET: seconds until a new answer is made. Default: that of the plugin. */
  ttl?: number
  /** GET: seconds beyond it in which one request makes the new answer and all others get the old one. Default 0. */
  stale?: number
  /** GET: templates of further tags that drop this answer when one of them is invalidated. */
  tags?: string[]
  /** GET: the answer is the same for every caller. Default: each caller has their own. */
  shared?: boolean
  /** GET, public routes: browsers and proxies may keep the answer, too (`Cache-Control: public`). Default `false`. */
  client?: boolean
  /** Writes: templates of the tags that a 2xx invalidates, beside `prefix:<id>`. */
  invalidates?: string[]
}

export interface ReadPolicy {
  /** Tells this answer from every other one of the route and of all routes, but for the caller. */
  key(request: FastifyRequest): unknown[]
  tags: Render[]
  terms: { ttlMs: number; staleMs: number }
  isShared: boolean
  isForClients: boolean
}

export interface PolicyOptions {
  defaultTtlSeconds: number
  /** Who is calling, for `{@caller}`. */
  caller(request: FastifyRequest): string | null
}

const MAX_TTL_SECONDS = 86_400
const READS = ['GET', 'HEAD']

/**
 * What `config.cache` of a GET asks for.
 *
 * @throws Error that names the route and says what is wrong
 */
export function readPolicy(route: RouteOptions, options: PolicyOptions): ReadPolicy {
  const cache = route.config?.cache ?? {}
  const fail = failure(route)
  const { key, ttl = options.defaultTtlSeconds, stale = 0, tags = [], shared = false, client = false } = cache
  if (cache.invalidates !== undefined) throw fail('a read cannot invalidate anything')
  if ((key === undefined) === (cache.prefix === undefined)) throw fail('give either `key` or `prefix`')
  if (!isBetween(ttl, 1, MAX_TTL_SECONDS)) throw fail(`ttl must be 1 to ${MAX_TTL_SECONDS} seconds`)
  if (!isBetween(stale, 0, MAX_TTL_SECONDS)) throw fail(`stale must be 0 to ${MAX_TTL_SECONDS} seconds`)
  if (client && route.config?.auth !== 'public') throw fail("`client` is for routes with config.auth 'public' only")

  const names = namesOf(route, options)
  const own = key ?? resourceTag(route, cache)
  const query = declaredQuery(route)
  return {
    key: (request) => [
      route.url,
      request.params,
      query ? query.map((name) => valueIn(request.query, name)) : request.query
    ],
    tags: [own, ...tags].map((template) => compile(template, names, fail)),
    terms: { ttlMs: ttl * 1000, staleMs: stale * 1000 },
    isShared: shared,
    isForClients: client
  }
}

/**
 * The tags that a write invalidates.
 *
 * @throws Error that names the route and says what is wrong
 */
export function writePolicy(route: RouteOptions, options: PolicyOptions): Render[] {
  const { prefix, invalidates = [], ...rest } = route.config?.cache ?? {}
  const fail = failure(route)
  const foreign = Object.keys(rest).filter((name) => name !== 'id')
  if (foreign.length > 0) throw fail(`only a GET has ${foreign.join(', ')}`)
  const templates = [...(prefix === undefined ? [] : [resourceTag(route, { ...rest, prefix })]), ...invalidates]
  if (templates.length === 0) throw fail('a write needs `invalidates` or `prefix`')
  const names = namesOf(route, options)
  return templates.map((template) => compile(template, names, fail))
}

export const isRead = ({ method }: RouteOptions): boolean => [method].flat().every((name) => READS.includes(name))

function failure(route: RouteOptions) {
  return (reason: string) => new Error(`Route ${[route.method].flat().join('|')} ${route.url}: config.cache: ${reason}`)
}

function compile(template: string, names: ReadonlyMap<string, Values>, fail: ReturnType<typeof failure>): Render {
  try {
    return compileTemplate(template, names)
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error))
  }
}

function resourceTag(route: RouteOptions, { prefix, id }: RouteCache): string {
  const fail = failure(route)
  const parameters = parametersOf(route)
  if (id !== undefined) {
    if (!parameters.includes(id)) throw fail(`id "${id}" is no parameter of the URL`)
    return `${prefix}:{${id}}`
  }
  const { properties } = Object(route.schema?.params)
  const candidates = properties ? parameters.filter((name) => properties[name]?.format === 'uuid') : parameters
  const [only, ...others] = candidates
  if (only === undefined || others.length > 0) {
    throw fail(`\`prefix\` needs \`id\`: ${only ? candidates.join(', ') : 'no parameter'} could be meant`)
  }
  return `${prefix}:{${only}}`
}

const parametersOf = ({ url }: RouteOptions): string[] => [...url.matchAll(/:(\w+)/g)].map(([, name = '']) => name)

/** The names that have a value in each request: parameters, and query values that are required or have a default. */
function namesOf(route: RouteOptions, { caller }: PolicyOptions): Map<string, Values> {
  const { properties, required } = querySchema(route)
  const always = Object.keys(properties).filter((name) => required.includes(name) || 'default' in properties[name])
  return new Map<string, Values>([
    ['@caller', (request) => caller(request) ?? ''],
    ...always.map((name): [string, Values] => [name, ({ query }) => valueIn(query, name)]),
    ...parametersOf(route).map((name): [string, Values] => [name, parameter(route, name)])
  ])
}

/** A UUID is the same one in capitals: a write by its small letters has to drop the answer to these, too. */
function parameter({ schema }: RouteOptions, name: string): Values {
  const isUuid = Object(schema?.params).properties?.[name]?.format === 'uuid'
  return ({ params }) => (isUuid ? String(valueIn(params, name)).toLowerCase() : valueIn(params, name))
}

/** The query values that the route knows, where its schema refuses others; the order in which they are sent is nothing. */
function declaredQuery(route: RouteOptions): string[] | undefined {
  const { properties, additionalProperties } = querySchema(route)
  return additionalProperties === false ? Object.keys(properties) : undefined
}

function querySchema({ schema }: RouteOptions) {
  const { properties = {}, required = [], additionalProperties } = Object(schema?.querystring)
  return { properties, required, additionalProperties }
}

// Fastify types parameters and query as unknown.
const valueIn = (values: unknown, name: string): unknown => (values as Record<string, unknown>)[name]

const isBetween = (value: number, min: number, max: number) => value >= min && value <= max
