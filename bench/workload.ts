import { readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import type { Kysely } from 'kysely'
import type { Database } from '../db/types.ts'
import type { Fixture } from './fixture.ts'

/** One kind of request and what it is compared with; the default export of a file in `workloads/`, which names it. */
export interface Workload {
  /** What is measured instead of the service: a file in `baselines/`, and whether its answers are refusals. */
  server?: { script: string; env?: Record<string, string>; isRefusing?: boolean }
  /** Name of the file in `baselines/`. */
  baseline: string
  /** CPU time per request of the baseline ÷ ours should reach this; with `meanwhile`, p99 should stay below it, in ms. */
  goal: number
  /** What a request of this kind passes through in our server. */
  hooks: string
  /** Whole HTTP requests (see `httpRequest`); each one sent is drawn from these at random, by both servers' clients alike. */
  requests(fixture: Fixture): string[] | Promise<string[]>
  /** Connections that send them. Default 128. */
  connections?: number
  /** Other requests that keep the same server busy; then the latency of `requests` is what counts. */
  meanwhile?: { requests(fixture: Fixture): Promise<string[]>; connections: number }
  /** Answers that end by themselves after a while are dropped by this, and made anew, before they do. */
  renewal?: { everySeconds: number; drop(fixture: Fixture): Promise<void> }
  /** Requests so far that a cache of ours could not serve, if it has one; the table shows the rate of hits. */
  countMisses?(db: Kysely<Database>): Promise<number>
}

const folder = join(import.meta.dirname, 'workloads')

/** Names of all workloads. */
export function listWorkloads(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => basename(file, '.ts'))
    .sort()
}

export async function loadWorkload(name: string): Promise<Workload> {
  const module: { default: Workload } = await import(join(folder, `${name}.ts`))
  return module.default
}
