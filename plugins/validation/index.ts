import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema, preValidationHookHandler } from 'fastify'
import fp from 'fastify-plugin'
import { validatorFactory } from './compiler.ts'
import { MalformedUrl, UnexpectedBody, UnsupportedEncoding, UnsupportedMediaType } from './errors.ts'
import { type FormatCheck, formats } from './formats.ts'
import { parseJson } from './json.ts'

export * from './errors.ts'
export type { FormatCheck } from './formats.ts'
export * from './schema.ts'

export interface ValidationOptions {
  /** Levels of arrays and objects in a JSON body; more is 400. Default 32. */
  maxDepth?: number
  /** Formats beside (or instead of) `date`, `date-time`, `email`, `uri` and `uuid`. A schema that names another stops the start. */
  formats?: Record<string, FormatCheck>
}

const jsonInUtf8 = /^application\/json[\t ]*(?:;[\t ]*charset=("?)utf-8\1[\t ]*)?$/i

async function plugin(app: FastifyInstance, options: ValidationOptions): Promise<void> {
  const { maxDepth = 32 } = options
  if (!Number.isSafeInteger(maxDepth) || maxDepth < 1)
    throw new TypeError('validation: `maxDepth` must be an integer ≥ 1')

  app.setSchemaController({
    compilersFactory: { buildValidator: validatorFactory({ ...formats, ...options.formats }) }
  })
  app.addHook('onRequest', checkEncodings)
  app.addHook('onRoute', (route) => {
    const { schema, method, preValidation = [] } = route
    if (schema === undefined) return
    const takesNoBody = schema.body === undefined && /^(POST|PUT|PATCH|DELETE)$/.test(String(method))
    const ids = uuidsOf(schema.params)
    route.preValidation = [
      ...(takesNoBody ? [refuseBody] : []),
      ...(ids.length > 0 ? [inOneSpelling(ids)] : []),
      ...[preValidation].flat()
    ]
  })
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, parsed) => {
    if (!jsonInUtf8.test(request.headers['content-type'] ?? '')) throw new UnsupportedMediaType()
    // Clients that always name the type may send nothing where nothing is asked for.
    const isNothing = body.length === 0 && admitsNothing(request.routeOptions.schema)
    parsed(null, isNothing ? undefined : parseJson(body, maxDepth))
  })
}

/** Its body may be `null`, or it describes the request and no body in it. */
function admitsNothing(schema: FastifySchema | undefined): boolean {
  if (schema === undefined) return false
  return schema.body === undefined || Array.isArray((schema.body as { type?: unknown } | null)?.type)
}

/** The parameters that are UUIDs. */
function uuidsOf(params: unknown): string[] {
  const { properties = {} } = (params ?? {}) as { properties?: Record<string, { format?: string }> }
  return Object.entries(properties).flatMap(([name, { format }]) => (format === 'uuid' ? name : []))
}

/** PostgreSQL takes a UUID in any case; caches, feeds and logs compare text (RFC 9562 §4: lower case is what is written). */
const inOneSpelling =
  (names: string[]): preValidationHookHandler =>
  ({ params }, _reply, done) => {
    const values = params as Record<string, string>
    for (const name of names) values[name] = values[name]?.toLowerCase() ?? ''
    done()
  }

/** What nobody would look at is refused like an unknown field: its sender expects something of it. */
function refuseBody({ body }: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body)
  const names = isObject ? Object.keys(body) : ['body']
  const isNothing = names.length === 0 || body === undefined || body === null
  const message = isObject ? 'is not a known field' : 'must be empty'
  const errors = names.slice(0, 20).map((name) => ({ field: name.slice(0, 64), message }))
  done(isNothing ? undefined : Object.assign(new UnexpectedBody(), { errors }))
}

/** For every parser: none of them inflates, and what they would make of a compressed body is not what was sent. */
function checkEncodings({ raw }: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void): void {
  const { headers, url = '' } = raw
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    done(Object.assign(new UnsupportedEncoding(), { headers: { 'Accept-Encoding': 'identity' } }))
  } else if (url.includes('%') && !isWellEncoded(url)) {
    done(new MalformedUrl())
  } else {
    done()
  }
}

/** The router leaves in the query what it cannot decode; PostgreSQL holds no NUL. */
function isWellEncoded(url: string): boolean {
  try {
    return !decodeURIComponent(url).includes('\0')
  } catch {
    return false
  }
}

export const validationPlugin = fp(plugin, { name: 'validation', fastify: '5.x' })
export default validationPlugin
