import type { FastifyInstance } from 'fastify'
import fp from 'fastify-plugin'
import { addCors, type CorsOptions } from './cors.ts'
import { constantHeaders, type HeaderOptions, tlsHeaders } from './headers.ts'
import { hostCheck } from './host-check.ts'

export type { CorsOptions } from './cors.ts'
export { HostNotAllowed } from './errors.ts'
export { constantHeaders, type HeaderOptions, type Headers } from './headers.ts'

export interface SecurityHeadersOptions extends HeaderOptions, CorsOptions {
  /** Host names the service answers to: exact, `*.example.com` for all below it, `[::1]`; without ports. Empty (default): any. */
  allowedHosts?: readonly string[]
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** This route answers under any Host: for probes, which address an instance and not the service. */
    anyHost?: boolean
  }
}

async function plugin(app: FastifyInstance, options: SecurityHeadersOptions): Promise<void> {
  const { hsts = 'auto', allowedHosts = [] } = options
  const headers = { ...constantHeaders(options) }
  const overTls = hsts === true ? {} : { ...tlsHeaders(options) }

  // Set first, before anything can fail, so that errors carry them. Whoever sets one later (a handler, or a hook of a
  // scope such as the documentation's) wins.
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(headers)
    if (request.protocol === 'https') reply.headers(overTls)
    done()
  })
  if (allowedHosts.length > 0) app.addHook('onRequest', hostCheck(allowedHosts))
  addCors(app, options)
}

export const securityHeadersPlugin = fp(plugin, { name: 'security-headers', fastify: '5.x' })
export default securityHeadersPlugin
