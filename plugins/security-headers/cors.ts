import type { FastifyInstance, FastifyReply } from 'fastify'

export interface CorsOptions {
  /**
   * Web origins whose scripts may read answers, exactly as browsers send them: `https://app.example.com`. `['*']` is any,
   * without credentials. Default none: no CORS at all.
   */
  origins?: readonly string[]
  /** Whether those scripts may send cookies along. Default false. */
  credentials?: boolean
  /** Methods that a preflight grants. Default GET, HEAD, POST, PUT, PATCH, DELETE. */
  methods?: readonly string[]
  /** Request headers that a preflight grants. Default: what an API like this one reads. */
  allowedHeaders?: readonly string[]
  /** Answer headers that those scripts may read. Default: what an API like this one sets. */
  exposedHeaders?: readonly string[]
  /** Seconds for which a browser may remember a preflight. Default 7200, the most that Chromium takes. */
  preflightMaxAgeSeconds?: number
}

const defaultMethods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

const defaultAllowedHeaders = [
  'Accept',
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'X-API-Key',
  'X-Request-ID',
  'traceparent',
  'tracestate'
]

const defaultExposedHeaders = [
  'ETag',
  'Idempotency-Replayed',
  'Location',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'Server-Timing',
  'X-Cache',
  'X-Request-ID'
]

/**
 * Answers preflights and marks answers as readable for the listed origins; for all others CORS does not exist.
 * Preflights are answered in the hook, which also runs where no route matches: no OPTIONS route has to be mounted.
 * @throws {TypeError} at registration for origins that no browser sends, or a combination that is unsafe.
 */
export function addCors(app: FastifyInstance, options: CorsOptions): void {
  const { origins = [], credentials = false, preflightMaxAgeSeconds = 7200 } = options
  requireOrigins(origins, credentials)
  if (origins.length === 0) return

  const isAny = origins.includes('*')
  const listed = new Set(origins)
  const methods = (options.methods ?? defaultMethods).join(', ')
  const allowedHeaders = (options.allowedHeaders ?? defaultAllowedHeaders).join(', ')
  const exposedHeaders = (options.exposedHeaders ?? defaultExposedHeaders).join(', ')

  app.addHook('onRequest', (request, reply, done) => {
    const { origin } = request.headers
    if (origin === undefined || !(isAny || listed.has(origin))) return done()

    reply.header('access-control-allow-origin', isAny ? '*' : origin)
    if (credentials) reply.header('access-control-allow-credentials', 'true')
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) {
      reply.header('access-control-expose-headers', exposedHeaders)
      return done()
    }
    reply
      .code(204)
      .header('access-control-allow-methods', methods)
      .header('access-control-allow-headers', allowedHeaders)
      .header('access-control-max-age', preflightMaxAgeSeconds)
      .send()
  })

  if (!isAny) {
    // Last, because others set Vary too; on answers without CORS headers as well, or a cache hands them to a listed origin.
    app.addHook('onSend', (_request, reply, _payload, done) => {
      varyByOrigin(reply)
      done()
    })
  }
}

function requireOrigins(origins: readonly string[], credentials: boolean): void {
  if (!Array.isArray(origins)) throw new TypeError('cors: `origins` must be a list')
  if (origins.includes('*') && (credentials || origins.length > 1)) {
    throw new TypeError("cors: origin '*' stands alone and goes without credentials; list the origins instead")
  }
  for (const origin of origins) {
    if (origin !== '*' && !isOrigin(origin)) {
      throw new TypeError(`cors: not an origin as browsers send it (scheme://host[:port], lower case): ${origin}`)
    }
  }
}

function isOrigin(text: string): boolean {
  // Schemes of apps (capacitor://localhost) have no origin of their own for URL: those are taken by their form.
  const url = URL.parse(text)
  if (url === null || url.hostname.includes('*')) return false
  return url.origin === 'null' ? /^[a-z][a-z0-9+.-]*:\/\/[a-z0-9.-]+(:\d+)?$/.test(text) : url.origin === text
}

function varyByOrigin(reply: FastifyReply): void {
  const vary = reply.getHeader('vary')
  if (vary === undefined) reply.header('vary', 'Origin')
  else if (!/(^|[\s,])(origin|\*)($|[\s,])/i.test(String(vary))) reply.header('vary', `${vary}, Origin`)
}
