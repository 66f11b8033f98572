import type { ConnectionOptions } from 'node:tls'

/** How a worker reaches PostgreSQL: connections of its own, so that a busy API never starves it, nor it the API. */
export interface WorkerConnection {
  url: string
  /** TLS: `true` verifies the server's certificate. Default `false`. */
  ssl?: boolean | ConnectionOptions
  /** Connections of the worker. Default 4. */
  poolSize?: number
  applicationName?: string
  /** Hear of new jobs at once by LISTEN, which PgBouncer in transaction mode cannot; else polling. Default `true`. */
  listen?: boolean
}
