import type { FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import fp from 'fastify-plugin'
import { validatorFactory } from './compiler.ts'
import { MalformedUrl, UnsupportedEncoding, UnsupportedMediaType } from './errors.ts'
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

const plugin: FastifyPluginCallback<ValidationOptions> = (app, options, done) => {
  const { maxDepth = 32 } = options

  app.setSchemaController({
    compilersFactory: { buildValidator: validatorFactory({ ...formats, ...options.formats }) }
  })
  app.addHook('onRequest', checkEncodings)
  app.removeContentTypeParser(['application/json', 'text/plain'])
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, parsed) => {
    if (!jsonInUtf8.test(request.headers['content-type'] ?? '')) throw new UnsupportedMediaType()
    // Clients that always name the type may send nothing where nothing is asked for.
    const isNothing = body.length === 0 && admitsNull(request.routeOptions.schema?.body)
    parsed(null, isNothing ? undefined : parseJson(body, maxDepth))
  })
  done()
}

const admitsNull = (schema: unknown) => Array.isArray((schema as { type?: unknown } | null)?.type)

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
