import swagger from '@fastify/swagger'
import type { FastifySwaggerUiConfigOptions } from '@fastify/swagger-ui'
import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { basicAuth, type CheckCredentials } from './basic-auth.ts'
import { finishDocument, type OpenApiDocument } from './document.ts'
import { pages } from './pages.ts'
import { uniqueSchemas, wrapRoots } from './schemas.ts'

/** Who may read the pages and the document: everybody, nobody (nothing is mounted), or who passes HTTP Basic. */
export type DocsAccess = 'open' | 'closed' | { check: CheckCredentials }

export interface DocsOptions {
  /** Required: a description of the API in the wrong hands is a map for attackers. */
  access: DocsAccess
  info: {
    title: string
    version: string
    description?: string
    contact?: { name?: string; email?: string; url?: string }
    license?: { name: string; identifier?: string; url?: string }
  }
  /** Where clients reach the API. Default: where the document was read, `/`. */
  servers?: Array<{ url: string; description?: string }>
  /** The tags in the order the pages show them. Default none. */
  tags?: Array<{ name: string; description?: string }>
  /** Schemes that `schema.security` of a route may name. Default: `bearerAuth`, a JWT in `Authorization: Bearer`. */
  securitySchemes?: Record<string, SecurityScheme>
  /**
   * OAuth2 token endpoint (grant `password`). With it the Authorize dialog of Swagger UI also signs in by username
   * and password: operations that name `bearerAuth` offer the scheme `oauth2` beside it. Default none.
   */
  tokenUrl?: string
  /** Further settings of Swagger UI. Default none. */
  ui?: FastifySwaggerUiConfigOptions
  /** Clock in ms for the ten seconds that accepted credentials are remembered. Default `performance.now`. */
  now?: () => number
}

export type SecurityScheme =
  | { type: 'http'; scheme: string; bearerFormat?: string; description?: string }
  | { type: 'apiKey'; in: 'header' | 'query' | 'cookie'; name: string; description?: string }

export interface Docs {
  /**
   * The OpenAPI document of the routes that were added after this plugin, rendered once, on first use. Do not modify it.
   * @throws before `ready()`
   */
  document(): OpenApiDocument
}

const BEARER: SecurityScheme = { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }

declare module 'fastify' {
  interface FastifyInstance {
    docs: Docs
  }
}

async function plugin(app: FastifyInstance, options: DocsOptions): Promise<void> {
  const {
    access,
    info,
    servers = [{ url: '/' }],
    tags = [],
    tokenUrl,
    ui = {},
    now = () => performance.now()
  } = options
  if (access !== 'open' && access !== 'closed' && typeof access?.check !== 'function') {
    throw new TypeError("docs: `access` must be 'open', 'closed' or { check(username, password) }")
  }
  if (typeof info?.title !== 'string' || typeof info.version !== 'string') {
    throw new TypeError('docs: `info` must have a title and a version')
  }
  // @fastify/swagger would end the process: it throws from a callback.
  if (app.hasDecorator('swagger')) throw new Error('docs: @fastify/swagger is registered already, or docs is twice')
  const securitySchemes = { ...(options.securitySchemes ?? { bearerAuth: BEARER }), ...passwordFlow(tokenUrl) }
  const checkSchema = uniqueSchemas()

  app.addHook('onRoute', (route) => checkSchema(route.schema))
  await app.register(swagger, {
    openapi: { openapi: '3.1.0', info, servers, tags, components: { securitySchemes } },
    stripBasePath: false,
    refResolver: { buildLocalReference: ({ $id }, _uri, _ref, i) => (typeof $id === 'string' ? $id : `def-${i}`) },
    transform: ({ schema, url }) => ({ schema: wrapRoots(schema), url }),
    transformObject: (rendered) => {
      const alternatives: Record<string, string> = tokenUrl === undefined ? {} : { bearerAuth: 'oauth2' }
      return finishDocument('openapiObject' in rendered && rendered.openapiObject, alternatives)
    }
  })
  // `finishDocument` made it, whatever the declared type says.
  const document = () => app.swagger() as unknown as OpenApiDocument
  app.decorate('docs', { document })
  if (access === 'closed') return

  await app.register(pages, {
    title: info.title,
    json: () => JSON.stringify(document()),
    yaml: () => app.swagger({ yaml: true }),
    origins: absoluteOrigins([...servers.map(({ url }) => url), tokenUrl]),
    ui,
    guard: access === 'open' ? undefined : basicAuth(access.check, now)
  })
}

function passwordFlow(tokenUrl: string | undefined) {
  if (tokenUrl === undefined) return {}
  const description = 'Signs in by username and password.'
  return { oauth2: { type: 'oauth2' as const, description, flows: { password: { tokenUrl, scopes: {} } } } }
}

function absoluteOrigins(urls: Array<string | undefined>): string[] {
  return urls.flatMap((url) => URL.parse(url ?? '')?.origin ?? [])
}

export const docsPlugin = fp(plugin, { name: 'docs', fastify: '5.x' })
export default docsPlugin
