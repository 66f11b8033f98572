import { setTimeout } from 'node:timers/promises'
import type { ConnectionOptions } from 'node:tls'
import type { FastifyBaseLogger } from 'fastify'
import { Cluster, type CommonRedisOptions, Redis } from 'ioredis'
import { parseAddress } from './address.ts'
import { reasonOf } from './errors.ts'

export interface RedisClientOptions {
  /** A single server: `redis://[user:password@]host:port[/db]`, or `rediss://` for TLS. Either this or `nodes`. */
  url?: string | undefined
  /** Some nodes of a Redis Cluster, `host:port` or URLs; the rest is discovered. Either this or `url`. */
  nodes?: readonly string[] | undefined
  /** User of the ACL. Default: the address' own, or none. */
  username?: string | undefined
  /** Default: the address' own, or none. */
  password?: string | undefined
  /** TLS settings such as `ca`; giving them turns TLS on, as `rediss://` does. */
  tls?: ConnectionOptions | undefined
  /** Put before every key. Default: nothing. */
  prefix?: string
  /** Longest wait for a TCP or TLS connection, in milliseconds. Default 1000. */
  connectTimeoutMs?: number | undefined
  /** Longest wait for an answer, in milliseconds. A Cluster that lost all its nodes ignores it: use a guard. Default 100. */
  commandTimeoutMs?: number | undefined
  /** Idle time before the first TCP keep-alive probe, in milliseconds. Default 10000. */
  keepAliveMs?: number | undefined
  /** Connect at the first command (which fails) or by `connect()`, not at once. Default false. */
  lazy?: boolean | undefined
  /** Gets one line when the connection fails and one when it is back. Default: nothing is logged. */
  log?: Pick<FastifyBaseLogger, 'info' | 'warn'> | undefined
}

/**
 * A client that fails fast and comes back by itself: no queue while disconnected, nothing is sent twice, every command has a
 * deadline, and it tries to connect at least every half second for ever. Not for blocking commands (BLPOP, XREAD BLOCK).
 *
 * @throws Error when the options cannot work; the message says what to do
 */
export function createRedis(options: RedisClientOptions): Redis | Cluster {
  const { url, nodes, tls, prefix = '', lazy = false } = options
  if ((url === undefined) === (nodes === undefined)) throw new Error('redis: give either `url` or `nodes`')
  const addresses = (nodes ?? [url ?? '']).map(parseAddress)
  const [first] = addresses
  if (first === undefined) throw new Error('redis: `nodes` is empty; name at least one node')

  const connection = {
    ...failFast(options),
    username: options.username ?? first.username,
    password: options.password ?? first.password,
    tls: tls ?? (addresses.some((address) => address.isTls) ? {} : undefined)
  }
  const common = { keyPrefix: prefix, lazyConnect: lazy, enableOfflineQueue: false }
  const { host, port, db } = first
  const client =
    nodes === undefined
      ? new Redis({ ...connection, ...common, host, port, db, retryStrategy: retryDelay })
      : new Cluster(
          addresses.map(({ host, port }) => ({ host, port })),
          {
            ...common,
            redisOptions: connection,
            clusterRetryStrategy: retryDelay,
            slotsRefreshTimeout: connection.connectTimeout,
            retryDelayOnFailover: 0,
            retryDelayOnClusterDown: 0,
            retryDelayOnTryAgain: 20,
            // Certificates name hosts: under TLS a name is kept, not resolved to an address first.
            ...(connection.tls && { dnsLookup: (name, done) => done(null, name) })
          }
        )
  logOutages(client, options.log)
  return client
}

/**
 * Quits within `withinMs` and disconnects, also from a Redis that is frozen or gone. Afterwards nothing of the client keeps
 * the process alive.
 */
export async function closeRedis(client: Redis | Cluster, withinMs = 500): Promise<void> {
  // A client that cannot say good-bye is just cut off.
  const quit = client.quit().catch(() => undefined)
  await Promise.race([quit, setTimeout(withinMs, undefined, { ref: false })])
  if (client.status !== 'end') client.disconnect()
}

function failFast({ connectTimeoutMs = 1000, commandTimeoutMs = 100, keepAliveMs = 10_000 }: RedisClientOptions) {
  return {
    connectTimeout: connectTimeoutMs,
    commandTimeout: commandTimeoutMs,
    keepAlive: keepAliveMs,
    // A peer that vanished without a word is noticed by its silence, not by TCP's retransmissions after minutes.
    socketTimeout: Math.max(1000, 5 * commandTimeoutMs),
    disconnectTimeout: 200,
    maxLoadingRetryTime: 500,
    // What was in flight when the connection broke fails at once and is never sent again: an INCR must not count twice.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    // After a failover behind one address the old connection leads to what is a replica now.
    reconnectOnError: (error) => error.message.startsWith('READONLY')
  } satisfies CommonRedisOptions & { disconnectTimeout: number }
}

/** Half a second at most, however long the outage. Spread, so that many clients do not come back in step. */
function retryDelay(attempt: number): number {
  return Math.min(100 * attempt, 500) * (0.5 + Math.random() / 2)
}

/** Listens even without a log: nobody listening, ioredis would print to the console. */
function logOutages(client: Redis | Cluster, log: RedisClientOptions['log']): void {
  let isOut = false
  client.on('error', (error: Error) => {
    if (!isOut) log?.warn({ reason: reasonOf(error) }, 'Redis connection failed; trying again until it works')
    isOut = true
  })
  client.on('ready', () => {
    if (isOut) log?.info('Redis connection is back')
    isOut = false
  })
}
