import { execFile } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { LOAD_CPU, type Server } from './server.ts'

/** Cold, and on a slow machine, the first answers take their time. */
const TIMEOUT = '10s'

/** What a client saw during one slice. */
export interface Load {
  requests: number
  requestsPerSecond: number
  /** Latency in ms. */
  p50: number
  p99: number
}

/** Requests that `connections` send. */
export interface Traffic {
  /** Whole requests, separated by NUL. */
  file: string
  count: number
  connections: number
}

/**
 * Loads the server at `port` for some seconds, from a CPU of its own.
 *
 * @param from where in the file to go on, one request after the other; without it they are drawn at random
 * @throws when a request failed or was answered with an error: figures of such a slice would mean nothing
 */
export async function runWrk(
  { port, isRefusing }: Pick<Server, 'port' | 'isRefusing'>,
  { file, connections }: Traffic,
  seconds: number,
  from?: number
): Promise<Load> {
  const script = join(import.meta.dirname, 'wrk.lua')
  const options = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    TIMEOUT,
    '-s',
    script,
    `http://127.0.0.1:${port}`
  ]
  const order = from === undefined ? ['random', String(randomInt(2 ** 31))] : ['from', String(from)]
  const args = ['-c', LOAD_CPU, 'wrk', ...options, '--', file, ...order]
  const { stdout } = await promisify(execFile)('taskset', args)
  const { requests, microseconds, p50, p99, failed, refused } = JSON.parse(stdout.slice(stdout.lastIndexOf('\n{')))
  // A refusing server's first answers, during the warm-up, use up what is allowed.
  const isAsMeant = isRefusing ? from !== undefined || refused === requests : refused === 0
  if (failed > 0 || requests === 0 || !isAsMeant) {
    throw new Error(`Of ${requests} requests ${failed} failed and ${refused} were answered with an error`)
  }
  return { requests, requestsPerSecond: (requests * 1e6) / microseconds, p50, p99 }
}
