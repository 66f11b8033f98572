import { createHash } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import swaggerUi, { type FastifySwaggerUiConfigOptions } from '@fastify/swagger-ui'
import type { FastifyInstance, preHandlerAsyncHookHandler, RouteHandlerMethod } from 'fastify'
import type {} from '../auth/index.ts'
import { escapeHtml, redocBundle, redocPage } from './redoc.ts'

export interface PagesOptions {
  title: string
  json: () => string
  yaml: () => string
  /** Origins other than the page's own that "Try it out" may call. */
  origins: string[]
  ui: FastifySwaggerUiConfigOptions
  guard: preHandlerAsyncHookHandler | undefined
}

/** `/docs`, `/redoc`, `/openapi.json` and `/openapi.yaml`, in a scope whose hooks touch nothing else. */
export async function pages(scope: FastifyInstance, options: PagesOptions): Promise<void> {
  const { title, origins, ui, guard } = options
  const json = constant('application/json; charset=utf-8', options.json)
  const yaml = constant('application/yaml; charset=utf-8', options.yaml)
  const assets = uiAssets()
  const policy = contentSecurityPolicy(origins, "'self'", "'none'")
  // ReDoc writes its styles into the page and searches in a worker made from a blob.
  const redocPolicy = contentSecurityPolicy([], "'unsafe-inline'", 'blob:')

  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, auth: 'public' }
    route.schema = { ...route.schema, hide: true }
    // Swagger UI has its own addresses for the document and would serialise it on every request.
    if (route.url === '/docs/json') route.handler = json
    if (route.url === '/docs/yaml') route.handler = yaml
  })
  // Not `onRequest`: hooks of plugins that the host registers later, such as limits, come first this way.
  if (guard) scope.addHook('preHandler', guard)
  scope.addHook('preHandler', async (request, reply) => {
    // The one wildcard serves files: only names that exist reach the file system, so no path can climb out of it.
    // Params of routes without a schema are an object of texts.
    const file = (request.params as { '*'?: string })['*']
    if (file !== undefined && !assets.has(file)) return reply.callNotFound()
  })
  scope.addHook('onSend', async (request, reply) => {
    // Runs after the hooks of the host, whose policy is for an API and would leave these pages white.
    reply.header('content-security-policy', request.routeOptions.url === '/redoc' ? redocPolicy : policy)
    // Browsers report this header as an error on plain http.
    reply.removeHeader('cross-origin-opener-policy')
  })

  scope.get('/openapi.json', json)
  scope.get('/openapi.yaml', yaml)
  await scope.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: escapeHtml(title) },
    uiConfig: { layout: 'BaseLayout', displayRequestDuration: true, persistAuthorization: false, ...ui }
  })

  const bundle = await redocBundle()
  if (bundle === undefined) {
    scope.log.warn('/redoc is not served: neither a built copy of ReDoc nor the package "redoc" is there')
    return
  }
  const page = redocPage(title)
  scope.get(
    '/redoc',
    constant('text/html; charset=utf-8', () => page)
  )
  scope.get(
    '/redoc/redoc.standalone.js',
    constant('text/javascript; charset=utf-8', () => bundle)
  )
}

/** Answers with a text that never changes, made when it is first asked for; 304 to a client that has it. */
function constant(type: string, make: () => string): RouteHandlerMethod {
  let cached: { body: string; etag: string } | undefined
  return async (request, reply) => {
    cached ??= withETag(make())
    reply.header('etag', cached.etag).header('cache-control', 'private, no-cache')
    if (hasETag(request.headers['if-none-match'], cached.etag)) return reply.code(304).send()
    return reply.type(type).send(cached.body)
  }
}

function withETag(body: string): { body: string; etag: string } {
  return { body, etag: `"${createHash('sha256').update(body).digest('base64url')}"` }
}

/** Weak comparison: a proxy that compresses the answer marks the tag as weak (RFC 9110 §13.1.2). */
function hasETag(header: string | undefined, etag: string): boolean {
  return header?.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag) ?? false
}

function uiAssets(): Set<string> {
  const main = createRequire(import.meta.url).resolve('@fastify/swagger-ui')
  return new Set(readdirSync(join(dirname(main), 'static')).filter((name) => /\.(js|css|png|svg)$/.test(name)))
}

/** Without `upgrade-insecure-requests`, which leaves a white page on plain-http hosts. */
function contentSecurityPolicy(connect: string[], styles: string, workers: string): string {
  return [
    "default-src 'none'",
    "script-src 'self'",
    `style-src ${styles}`,
    "img-src 'self' data:",
    `connect-src ${["'self'", ...connect].join(' ')}`,
    `worker-src ${workers}`,
    "form-action 'none'",
    "base-uri 'none'",
    "frame-ancestors 'none'"
  ].join('; ')
}
